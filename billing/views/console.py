"""What the console shows of contributions beside pages of other apps."""

import contextlib
from uuid import UUID

from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.http import UserRequest
from audit.reads import LISTED
from audit.services import record_after
from billing.amounts import shown
from billing.models import Subscription

MOST = 100  # accounts, as in one act of the console


@require_GET
@permission_required(("pages.users", "billing.view_subscription"), raise_exception=True)
def console_monthly(request: UserRequest) -> HttpResponse:
    """What these people go on being charged: an account that is deactivated does not end it, and nobody else can while it is."""
    people = []
    for one in request.GET.getlist("id")[:MOST]:
        with contextlib.suppress(ValueError):
            people.append(UUID(one))
    rows = Subscription.objects.live().filter(user__in=people, end_requested_at=None, ends_at_period_end=False).select_related("user")
    lines = [(row, shown(row.amount, row.currency)) for row in rows.order_by("started_at")]
    if lines:  # a page of its own, outside the console's, for which `audit.reads` sees to it
        record_after(request, LISTED, view="billing:console_monthly", count=len(lines))
    return render(request, "billing/_console_monthly.html", {"lines": lines})
