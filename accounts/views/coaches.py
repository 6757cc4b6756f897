"""`/settings/coaches/…`: who follows one's opportunities, what they are shown, when they looked, and the end of it."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import UserRequest
from accounts.models import CoachLink
from accounts.services import coaching
from accounts.studio_forms import CoachScopeForm
from audit.models import Activity

PER_PAGE = 25


def _own(request: UserRequest) -> QuerySet[CoachLink]:
    return CoachLink.objects.filter(client=request.user).select_related("coach").order_by("-appointed_at")


@require_GET
def coaches(request: UserRequest) -> HttpResponse:
    links = sorted(_own(request), key=lambda link: ("waiting", "in_force", "ended").index(link.state))
    return render(request, "settings/coaches.html", {"links": links})


@require_http_methods(["GET", "POST"])
def coach(request: UserRequest, pk: UUID) -> HttpResponse:
    link = get_object_or_404(_own(request), pk=pk)
    known = {"shows_subjects": link.shows_subjects, "ends_on": timezone.localdate(link.ends_at) if link.ends_at else None}
    posted = request.POST if request.method == "POST" else None  # an empty form is an answer: nothing more, without an end
    form = CoachScopeForm(posted, initial=known if link.accepted_at else CoachScopeForm.proposal())
    if form.is_valid():
        return _agree(request, link, form)
    seen = Activity.objects.filter(action="coach.client_viewed", target_id=str(link.pk), actor_id=link.coach_id).order_by("-recorded_at")
    page = Paginator(seen.only("id", "recorded_at", "details"), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "settings/coach.html", {"link": link, "form": form, "page": page})


def _agree(request: UserRequest, link: CoachLink, form: CoachScopeForm) -> HttpResponse:
    shows = form.cleaned_data["shows_subjects"]
    try:
        coaching.accept(link, shows_subjects=shows, ends_at=form.ends_at(), actor=request.user, request=request)
    except ValidationError as fault:
        messages.error(request, fault.messages[0])
    else:
        said = _("Saved.") if link.accepted_at else _("Accepted. %(person)s can follow your opportunities now.") % {"person": link.coach}
        messages.success(request, said)
    return redirect("settings_coach", pk=link.pk)


@require_POST
def coach_end(request: UserRequest, pk: UUID) -> HttpResponse:
    link = get_object_or_404(_own(request), pk=pk)
    try:
        coaching.end(link, actor=request.user, request=request)
    except ValidationError as fault:
        messages.error(request, fault.messages[0])
    else:
        messages.success(request, _("Ended. %(person)s sees nothing of you any more.") % {"person": link.coach})
    return redirect("settings_coaches")
