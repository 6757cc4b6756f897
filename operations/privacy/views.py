"""`/settings/privacy/`: what is held, agreements, objections, a copy, the details of mail, the end of the account."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from aaperture.lib.nudge import nudge
from accounts.http import UserRequest
from accounts.models import Consent, User
from accounts.objections import MEANING, Objection
from accounts.step_up import step_up_required
from integrations import grant_kinds
from operations.models import DataExport, Erasure
from operations.privacy.erasure_plan import plan_for
from operations.privacy.own_data import held
from operations.services import erasures, exports, privacy
from operations.tasks import build_export, carry_on_erasure
from tracker.models import Signal
from tracker.services import forget_mail

KEPT = "erasure"  # in the session: which erasure the mailed link names
PURPOSES = {
    grant_kinds.GMAIL.purpose: gettext_lazy("Reading mail about opportunities from Gmail"),
    grant_kinds.CALENDAR.purpose: gettext_lazy("Keeping your sessions in Google Calendar"),
}


class ObjectionsForm(forms.Form):
    """One switch for each objection."""

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for one in Objection:
            on = one.value in user.objections
            self.fields[one.value] = forms.BooleanField(label=one.label, help_text=MEANING[one], required=False, initial=on)

    def chosen(self) -> list[str]:
        return [name for name, on in self.cleaned_data.items() if on]


def _panel(user: User) -> dict[str, Any]:
    return {"export": DataExport.objects.filter(user=user).order_by("-requested_at").first()}


@require_GET
def overview(request: UserRequest) -> HttpResponse:
    consents = [(consent, PURPOSES.get(consent.purpose, consent.purpose)) for consent in _consents(request).order_by("-granted_at")]
    context = {"held": held(request.user), "consents": consents, "form": ObjectionsForm(user=request.user), **_panel(request.user)}
    return render(request, "privacy/overview.html", context)


def _consents(request: UserRequest) -> Any:
    return Consent.objects.filter(user=request.user)


@require_POST
def objections(request: UserRequest) -> HttpResponse:
    form = ObjectionsForm(request.POST, user=request.user)
    if form.is_valid() and privacy.change_objections(request.user, form.chosen(), request=request):
        messages.success(request, _("Saved. It counts from now on."))
    return redirect("settings_privacy")


@require_http_methods(["GET", "POST"])
def consent_withdraw(request: UserRequest, pk: UUID) -> HttpResponse:
    consent = get_object_or_404(_consents(request).filter(withdrawn_at=None), pk=pk)
    if request.method == "POST":
        privacy.withdraw_consent(consent, request=request)
        messages.success(request, _("Taken back. Nothing is read any more."))
        return redirect("settings_privacy")
    return render(request, "privacy/consent_withdraw.html", {"consent": consent, "purpose": PURPOSES.get(consent.purpose, consent.purpose)})


@require_http_methods(["GET", "POST"])
def mail_details(request: UserRequest) -> HttpResponse:
    if request.method == "POST":
        count = forget_mail(request.user, request=request)
        text = ngettext("The details of %(n)d mail are deleted.", "The details of %(n)d mails are deleted.", count)
        messages.success(request, text % {"n": count})
        return redirect("settings_privacy")
    return render(request, "privacy/mail_details.html", {"count": Signal.objects.visible_to(request.user).count()})


# --- a copy of everything ----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@step_up_required
def export_ask(request: UserRequest) -> HttpResponse:
    if request.method == "POST":
        export = exports.ask(request.user, actor=request.user, request=request)
        nudge(build_export, export.pk)
        return redirect("settings_privacy")
    return render(request, "privacy/export_ask.html", _panel(request.user))


@require_GET
def export_status(request: UserRequest) -> HttpResponse:
    """The panel, which asks for itself while a copy is put together."""
    return render(request, "privacy/_export.html", _panel(request.user))


@require_GET
@step_up_required
def export_download(request: UserRequest, pk: UUID) -> HttpResponseBase:
    export = get_object_or_404(DataExport.objects.filter(user=request.user), pk=pk)
    if not export.is_ready:
        raise Http404
    response = StreamingHttpResponse(exports.download(export, request=request), content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="aaperture-{export.requested_at:%Y-%m-%d}.zip"'
    return response


# --- the end of the account --------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@step_up_required
def erase(request: UserRequest) -> HttpResponse:
    """The plan first; its button closes the account."""
    if request.method == "POST":
        try:
            erasure = erasures.ask(request.user, actor=request.user, request=request)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return redirect("settings_privacy_erase")
        nudge(carry_on_erasure, erasure.pk)
        logout(request)
        return redirect("privacy_closed")
    return render(request, "privacy/erase.html", {"plan": plan_for(request.user), "last_day": Erasure.GRACE.days - 1})


@login_not_required
@require_GET
def closed(request: HttpRequest) -> HttpResponse:
    return render(request, "privacy/closed.html")


@login_not_required
@require_GET
def withdraw_open(request: HttpRequest, token: str) -> HttpResponse:
    """The mailed link: what it names goes into the session, so that it stays in no address bar, referer or log of ours."""
    erasure = erasures.find(token)
    if erasure is None:
        return render(request, "privacy/too_late.html", status=404)
    request.session[KEPT] = str(erasure.pk)
    response = redirect("privacy_keep")
    response["Referrer-Policy"] = "no-referrer"
    return response


@login_not_required
@require_http_methods(["GET", "POST"])
def keep(request: HttpRequest) -> HttpResponse:
    """Asks, then opens the account again; signing in is another matter."""
    erasure = Erasure.objects.filter(pk=request.session[KEPT]).first() if KEPT in request.session else None
    if erasure is None or not erasure.is_open:
        return render(request, "privacy/too_late.html", status=404)
    if request.method == "POST":
        try:
            erasures.withdraw(erasure, request=request)
        except erasures.TooLate:
            return render(request, "privacy/too_late.html", status=404)
        request.session.pop(KEPT, None)
        messages.success(request, _("Your account stays. You can sign in again."))
        return redirect("account_login")
    return render(request, "privacy/keep.html", {"erasure": erasure})
