"""To Stripe's payment page and back."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.http import UserRequest, for_machines
from billing import gateway
from billing.amounts import shown
from billing.forms import ContributeForm
from billing.models import Checkout, ContributionTerms
from billing.services import checkouts
from billing.views.pages import page_of
from billing.wording import FAULTS

PATIENCE = 45  # seconds until the page says that it takes long


@require_POST
def checkout(request: UserRequest) -> HttpResponse:
    """Leads to the payment page for the chosen amount; machines get its address."""
    if not gateway.is_enabled():
        raise Http404
    form = ContributeForm(request.POST, terms=ContributionTerms.current())
    if not form.is_valid():
        return _refused(request, form, "amount", 400)
    try:
        url = checkouts.begin(request.user, rhythm=form.cleaned_data["rhythm"], amount=form.cleaned_data["cents"], request=request)
    except (checkouts.AlreadyMonthly, checkouts.PaymentUnderWay, gateway.StripeUnavailable, gateway.StripeRefused) as fault:
        code, status = FAULTS[type(fault).__name__]
        return _refused(request, form, code, status)
    return JsonResponse({"url": url}) if for_machines(request) else redirect(url)


def _refused(request: UserRequest, form: ContributeForm, code: str, status: int) -> HttpResponse:
    words = FAULTS["words"][code]
    if for_machines(request):
        detail = next((str(errors[0]) for errors in form.errors.values()), words)
        return JsonResponse({"detail": detail, "code": code, "request_id": getattr(request, "request_id", "")}, status=status)
    if code == "under_way":
        messages.info(request, words)
        return redirect("billing:thanks")
    if code != "amount":
        messages.error(request, words)
    return render(request, "billing/contribute.html", page_of(request, form=form), status=status)


def _waiting(request: UserRequest) -> dict[str, Any]:
    visit = checkouts.newest(request.user)
    spent = (timezone.now() - visit.created_at).total_seconds() if visit else 0
    live = visit is not None and visit.status == Checkout.Status.OPEN
    return {
        "visit": visit, "live": live, "long": live and spent > PATIENCE,
        "amount": shown(visit.amount, visit.currency) if visit else "",
    }  # fmt: skip


@require_GET
def thanks(request: UserRequest) -> HttpResponse:
    """Where Stripe sends the browser back to. That says nothing: it waits until Stripe has told us."""
    return render(request, "billing/thanks.html", _waiting(request))


@require_GET
def thanks_status(request: UserRequest) -> HttpResponse:
    if not request.htmx:
        return redirect("billing:thanks")
    return render(request, "billing/_thanks.html", _waiting(request))
