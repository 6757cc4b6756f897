"""One opportunity: reading, adding, changing, merging and deleting it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, Value, When
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import UserRequest
from tracker import services
from tracker.forms import MoveForm, NewOpportunityForm, OpportunityForm
from tracker.models import Opportunity, OpportunityQuerySet, Signal
from tracker.views.gone import gone_is_404

MOST_SIGNALS = 100
PER_PAGE = 20


def _own(request: UserRequest, pk: Any) -> Opportunity:
    return get_object_or_404(Opportunity.objects.visible_to(request.user), pk=pk)


@require_GET
def opportunity_detail(request: UserRequest, pk: UUID) -> HttpResponse:
    opportunity = _own(request, pk)
    signals = opportunity.signals.for_pages()
    count = signals.count()
    context = {
        "opportunity": opportunity,
        "signals": signals if "all" in request.GET else signals[:MOST_SIGNALS],
        "count": count,
        "more": count > MOST_SIGNALS and "all" not in request.GET,
        "moves": opportunity.moves.all()[:MOST_SIGNALS],
        "move_form": MoveForm(initial={"to": opportunity.stage}, label_suffix=""),
    }
    return render(request, "tracker/opportunity_detail.html", context)


@require_http_methods(["GET", "POST"])
def opportunity_add(request: UserRequest) -> HttpResponse:
    form = NewOpportunityForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        opportunity = services.add_opportunity(request.user, fields=form.cleaned_data, request=request)
        messages.success(request, _("Added to your board."))
        return redirect("tracker:opportunity_detail", pk=opportunity.pk)
    return render(request, "tracker/opportunity_form.html", {"form": form})


@require_http_methods(["GET", "POST"])
@gone_is_404
def opportunity_edit(request: UserRequest, pk: UUID) -> HttpResponse:
    opportunity = _own(request, pk)
    title = opportunity.title  # as stored: the form writes into the row it is given
    form = OpportunityForm(request.POST or None, instance=opportunity)
    if request.method == "POST" and form.is_valid():
        services.edit_opportunity(opportunity, fields=form.cleaned_data, actor=request.user, request=request)
        messages.success(request, _("Saved."))
        return redirect("tracker:opportunity_detail", pk=pk)
    return render(request, "tracker/opportunity_form.html", {"form": form, "opportunity": opportunity, "title": title})


@require_POST
@gone_is_404
def task_done(request: UserRequest, pk: UUID) -> HttpResponse:
    services.complete_task(_own(request, pk), actor=request.user, request=request)
    messages.success(request, _("Done. It is their turn now."))
    return redirect("tracker:opportunity_detail", pk=pk)


@require_http_methods(["GET", "POST"])
def opportunity_merge(request: UserRequest, pk: UUID) -> HttpResponse:
    """Find the other one, look at both, then merge; nothing happens before the last step."""
    opportunity = _own(request, pk)
    chosen = request.POST.get("other") or request.GET.get("other")
    other = _other(request, opportunity, chosen) if chosen else None
    if request.method == "POST" and other:
        try:
            services.merge_opportunities(opportunity, other, actor=request.user, request=request)
        except services.CannotMerge:  # another tab has merged one of them already
            raise Http404 from None
        messages.success(request, _("Merged."))
        return redirect("tracker:opportunity_detail", pk=pk)
    search = request.GET.get("q", "")[:200]
    page = Paginator(_candidates(request, opportunity, search), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "tracker/opportunity_merge.html", {"opportunity": opportunity, "other": other, "page": page, "search": search})


def _other(request: UserRequest, opportunity: Opportunity, pk: str) -> Opportunity:
    try:
        wanted = UUID(pk)
    except ValueError:
        wanted = opportunity.pk
    return get_object_or_404(Opportunity.objects.visible_to(request.user).exclude(pk=opportunity.pk), pk=wanted)


def _candidates(request: UserRequest, opportunity: Opportunity, search: str) -> OpportunityQuerySet:
    """One's other opportunities, those with the same company or contact first."""
    others = Opportunity.objects.visible_to(request.user).exclude(pk=opportunity.pk).search(search).for_lists()
    alike = [
        When(**{f"{name}__iexact": value}, then=Value(0)) for name in ("company", "contact_email") if (value := getattr(opportunity, name))
    ]
    return others.newest_first() if not alike else others.order_by(Case(*alike, default=Value(1)), *others.newest_first().query.order_by)


@require_http_methods(["GET", "POST"])
@gone_is_404
def opportunity_delete(request: UserRequest, pk: UUID) -> HttpResponse:
    opportunity = _own(request, pk)
    if request.method == "GET":
        return render(request, "tracker/opportunity_delete.html", {"opportunity": opportunity, "count": opportunity.signals.count()})
    services.delete_opportunity(opportunity, actor=request.user, request=request)
    messages.success(request, _("Deleted. No scan will bring it back."))
    return redirect("tracker:board")


@require_http_methods(["GET", "POST"])
@gone_is_404
def signal_delete(request: UserRequest, pk: UUID) -> HttpResponse:
    signal = get_object_or_404(Signal.objects.visible_to(request.user).select_related("opportunity"), pk=pk)
    if request.method == "GET":
        return render(request, "tracker/signal_delete.html", {"signal": signal, "opportunity": signal.opportunity})
    left = services.delete_signal(signal, actor=request.user, request=request)
    messages.success(request, _("Removed. No scan will bring it back."))
    return redirect("tracker:opportunity_detail", pk=left.pk) if left else redirect("tracker:board")
