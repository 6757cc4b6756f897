"""Rules for payment reminders, and the invoices that are left out of them."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.http import UserRequest
from accounts.studio_roles import may
from documents.models import Invoice
from mailing.forms import ReminderForm
from mailing.models import ReminderRule
from mailing.services import reminders
from mailing.services.emails import NotPossible
from studio.access import found, here


def _back() -> HttpResponse:
    return redirect("mailing:settings")


@require_POST
def rule_add(request: UserRequest) -> HttpResponse:
    mine = here(request, "settings.edit")
    form = ReminderForm(request.POST, organization=mine.organization)
    if not form.is_valid():
        messages.error(request, _("Say how many days after the due date, at most 180, and pick a template for reminders."))
        return _back()
    try:
        reminders.add_rule(mine.organization, **form.cleaned_data, actor=request.user, request=request)
    except NotPossible:
        messages.error(request, _("This rule is there already."))
    else:
        messages.success(request, _("From now on the reminder goes out by itself, unless the invoice is paid before."))
    return _back()


@require_POST
def rule_remove(request: UserRequest, pk: UUID) -> HttpResponse:
    rule, _mine = found(request, ReminderRule.objects, pk, "settings.edit")
    reminders.remove_rule(rule, actor=request.user, request=request)
    messages.success(request, _("The rule is removed. What is scheduled already still goes out."))
    return _back()


def _invoice(request: UserRequest, pk: UUID) -> Invoice:
    row, mine = found(request, Invoice.objects.defer("content", "search_text"), pk, "emails.edit")
    if not may(mine.role, "invoices.view"):
        raise PermissionDenied
    invoice: Invoice = row
    return invoice


@require_POST
def reminders_stop(request: UserRequest, pk: UUID) -> HttpResponse:
    reminders.stop_reminders(_invoice(request, pk), actor=request.user, request=request)
    messages.success(request, _("No reminder of this invoice goes out by itself any more."))
    return redirect("documents:invoice", pk=pk)


@require_POST
def reminders_resume(request: UserRequest, pk: UUID) -> HttpResponse:
    reminders.resume_reminders(_invoice(request, pk), actor=request.user, request=request)
    messages.success(request, _("Reminders of this invoice go out by themselves again."))
    return redirect("documents:invoice", pk=pk)
