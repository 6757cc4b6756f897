"""The console's data-protection desk: who asked for a copy or for erasure, how far it is, and starting one for them."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import console
from aaperture.lib.nudge import nudge
from accounts.admin.ending import operator
from accounts.models import User, canonical_email
from accounts.services.users import step_up
from operations.models import DataExport, Erasure
from operations.privacy import ledger
from operations.services import erasures, exports
from operations.tasks import build_export, carry_on_erasure

PAGE = "admin:operations_data_protection"
VIEW, ERASE = "accounts.change_user", "accounts.delete_user"
SHOWN = 100
ANSWER_WITHIN = timedelta(days=28)  # the law gives a month for a copy, and February is one
LATE_AFTER = timedelta(hours=1)


class FindForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address of the account"), max_length=254)


class Request(NamedTuple):
    """One line of the desk: a copy or an erasure, whose, since when, until when, how far."""

    who: str
    by_staff: bool
    asked_at: datetime
    due_at: datetime
    state: Any
    is_open: bool
    is_late: bool


class Kind(NamedTuple):
    title: Any
    question: Any
    permission: str
    danger: bool


KINDS = {
    "export": Kind(
        _("Make a copy for somebody"),
        _("For somebody who asked you. The copy is put together in the background; they get a mail, and only they can download it."),
        VIEW, danger=False,
    ),
    "erasure": Kind(
        _("Erase an account for somebody"),
        _("For its owner who asked you. The account closes at once. A link mailed to them takes it back until day 29."),
        ERASE, danger=True,
    ),
}  # fmt: skip


def _names(ids: set[UUID]) -> dict[UUID, str]:
    return dict(User.objects.filter(pk__in=ids).values_list("pk", "email"))


def _exports() -> list[Request]:
    rows = DataExport.objects.select_related("user").order_by("-requested_at")[:SHOWN]
    now = timezone.now()
    lines = []
    for row in rows:
        due = row.requested_at + ANSWER_WITHIN
        waits = row.is_live or row.status == DataExport.Status.FAILED
        by_staff = row.requested_by_id is not None
        lines.append(Request(row.user.email, by_staff, row.requested_at, due, row.get_status_display(), row.is_live, waits and due < now))
    return lines


def _erasures() -> list[Request]:
    rows = list(Erasure.objects.order_by("-requested_at")[:SHOWN])
    names, now = _names({row.account_id for row in rows}), timezone.now()
    return [
        Request(
            names.get(row.account_id, str(row.account_id)), row.requested_by_id is not None, row.requested_at, row.due_at,
            row.get_status_display(), row.is_open, row.is_open and row.due_at + LATE_AFTER < now,
        )
        for row in rows
    ]  # fmt: skip


def desk_view(request: HttpRequest) -> HttpResponse:
    if kind := KINDS.get(request.GET.get("start", "")):
        return _start(request, request.GET["start"], kind)
    starts = [(name, kind) for name, kind in KINDS.items() if request.user.has_perm(kind.permission)]
    context = {
        **console.each_context(request), "title": _("Data protection"), "starts": starts, "has_ledger": ledger.is_kept(),
        "lists": [(_("Erasures"), "erasures", _erasures()), (_("Copies of data"), "exports", _exports())],
    }  # fmt: skip
    return TemplateResponse(request, "operations/data_protection.html", context)


def _start(request: HttpRequest, name: str, kind: Kind) -> HttpResponse:
    if not request.user.has_perm(kind.permission):
        raise PermissionDenied
    step_up(request)
    form = FindForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _started(request, name, form):
        messages.success(request, _("Started. It goes on in the background."))
        return redirect(PAGE)
    context = {
        **console.each_context(request), "title": kind.title, "question": kind.question, "form": form, "button": kind.title,
        "back": reverse(PAGE), "danger": kind.danger,
    }  # fmt: skip
    return TemplateResponse(request, "admin/operation.html", context)


def _started(request: HttpRequest, name: str, form: FindForm) -> bool:
    user = User.objects.filter(email=canonical_email(form.cleaned_data["email"])).first()
    if user is None:
        form.add_error("email", _("No account has this address."))
        return False
    try:
        if name == "export":
            nudge(build_export, exports.ask(user, actor=operator(request), request=request).pk)
        else:
            nudge(carry_on_erasure, erasures.ask(user, actor=operator(request), request=request).pk)
    except ValidationError as error:
        form.add_error("email", error)
        return False
    return True


console.add_page(
    "operations", _("Data protection"), desk_view, route="operations/data-protection/", url_name="operations_data_protection",
    permission=VIEW,
)  # fmt: skip
