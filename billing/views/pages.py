"""What somebody contributes, has contributed, and what that gives them."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import UserRequest
from accounts.models import InstanceSettings
from billing import gateway
from billing.amounts import shown, typed
from billing.forms import ContributeForm, MonthlyAmountForm, PromoForm
from billing.models import Contribution, ContributionTerms, PromoGrant
from billing.models.contributions import Rhythm
from billing.services import monthly, promos
from billing.services.premium import is_premium, once_until
from billing.wording import FAULTS, TONES

PER_PAGE = 24
Fault = (monthly.NothingMonthly, gateway.StripeUnavailable, gateway.StripeRefused)


def page_of(request: UserRequest, **given: Any) -> dict[str, Any]:
    """The whole page: what goes on, the form, what has been."""
    terms = ContributionTerms.current()
    form = given.pop("form", None) or ContributeForm(terms=terms)
    rhythm = form.data.get("rhythm") if form.is_bound else request.GET.get("rhythm")
    rhythm = Rhythm.MONTHLY if rhythm == Rhythm.MONTHLY else Rhythm.ONCE
    mine = Contribution.objects.visible_to(request.user).order_by("-created_at")
    page = Paginator(mine, PER_PAGE).get_page(request.GET.get("page"))
    current = monthly.current(request.user)
    return {
        "form": form, "rhythm": rhythm, "suggestions": form.suggestions(rhythm), "enabled": gateway.is_enabled(),
        "limits": {"least": shown(terms.minimum, terms.currency), "most": shown(terms.maximum, terms.currency)},
        "monthly": current, "monthly_amount": shown(current.amount, current.currency) if current else "",
        "monthly_form": MonthlyAmountForm(initial={"amount": typed(current.amount)}) if current else None,
        "tone": TONES.get(current.status, "") if current else "", "promo_form": PromoForm(), "page": page,
        "rows": [line_of(row) for row in page], "premium": _premium(request, terms), **given,
    }  # fmt: skip


def line_of(row: Contribution) -> dict[str, Any]:
    refunded = shown(row.amount_refunded, row.currency) if row.amount_refunded else ""
    return {"row": row, "amount": shown(row.amount, row.currency), "refunded": refunded, "tone": TONES.get(row.status, "")}


def _premium(request: UserRequest, terms: ContributionTerms) -> dict[str, Any]:
    grant = PromoGrant.objects.filter(user=request.user).in_force().order_by("-ends_at").first()
    return {
        "mine": is_premium(request.user), "for": InstanceSettings.current().premium_for, "grant": grant, "days": terms.premium_days,
        "once_until": once_until(request.user, terms),
        "once": shown(terms.premium_once, terms.currency), "monthly": shown(terms.premium_monthly, terms.currency),
    }  # fmt: skip


@require_GET
def contribute(request: UserRequest) -> HttpResponse:
    if "back" in request.GET:
        messages.info(request, _("Nothing was paid. You can choose again."))
        return redirect("billing:contribute")
    return render(request, "billing/contribute.html", page_of(request))


@require_POST
def monthly_change(request: UserRequest) -> HttpResponse:
    form = MonthlyAmountForm(request.POST)
    try:
        if form.is_valid():
            row = monthly.change_amount(request.user, form.cleaned_data["amount"], request=request)
            messages.success(request, _("From the next month on: %(amount)s.") % {"amount": shown(row.amount, row.currency)})
            return redirect("billing:contribute")
    except ValidationError as error:
        form.add_error("amount", error)
    except Fault as fault:
        return _failed(request, fault)
    return render(request, "billing/contribute.html", page_of(request, monthly_form=form), status=400)


@require_http_methods(["GET", "POST"])
def monthly_cancel(request: UserRequest) -> HttpResponse:
    row = monthly.current(request.user)
    if row is None:
        raise Http404
    if request.method == "GET":
        return render(request, "billing/monthly_cancel.html", {"monthly": row, "amount": shown(row.amount, row.currency)})
    try:
        monthly.cancel(request.user, request=request)
    except Fault as fault:
        return _failed(request, fault)
    messages.success(request, _("Cancelled. Nothing more will be charged."))
    return redirect("billing:contribute")


@require_POST
def monthly_resume(request: UserRequest) -> HttpResponse:
    try:
        monthly.resume(request.user, request=request)
    except Fault as fault:
        return _failed(request, fault)
    messages.success(request, _("Your monthly contribution goes on. Thank you."))
    return redirect("billing:contribute")


def _failed(request: UserRequest, fault: Exception) -> HttpResponse:
    code, _status = FAULTS[type(fault).__name__]
    messages.error(request, FAULTS["words"][code])
    return redirect("billing:contribute")


@require_GET
def receipt(request: UserRequest, pk: UUID) -> HttpResponse:
    row = get_object_or_404(Contribution.objects.visible_to(request.user).received(), pk=pk)
    return render(request, "billing/receipt.html", line_of(row) | {"left": shown(row.left, row.currency)})


@require_POST
def promo(request: UserRequest) -> HttpResponse:
    form = PromoForm(request.POST)
    if form.is_valid():
        try:
            grant = promos.redeem(request.user, form.cleaned_data["code"], request=request)
        except ValidationError as error:
            form.add_error("code", error)
        else:
            messages.success(request, _("You have premium until %(day)s.") % {"day": date_format(localtime(grant.ends_at), "DATE_FORMAT")})
            return redirect("billing:contribute")
    return render(request, "billing/contribute.html", page_of(request, promo_form=form), status=400)
