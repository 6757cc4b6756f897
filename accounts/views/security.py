"""`/settings/security/`: how one signs in, the second factor, open sessions, recent sign-ins."""

from allauth.account.internal.stagekit import clear_login, get_pending_stage
from allauth.account.models import EmailAddress
from allauth.mfa.base.views import authenticate
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from allauth.mfa.utils import is_mfa_enabled
from allauth.socialaccount.models import SocialAccount
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from accounts import own_security
from accounts.http import UserRequest
from accounts.services import sessions

LAST_PAGE = 100
SECOND_STEPS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]


@require_GET
def security(request: UserRequest) -> HttpResponse:
    page = _page(request)
    sign_ins, has_older = own_security.sign_ins_of(request.user, page=page)
    context = {
        "identities": SocialAccount.objects.filter(user=request.user),
        "emails": EmailAddress.objects.filter(user=request.user),
        "has_password": request.user.has_usable_password(),
        "factors": own_security.factors_of(request.user),
        "sessions": own_security.sessions_of(request.user, request),
        "sign_ins": sign_ins,
        "newer": page - 1,
        "older": page + 1 if has_older and page < LAST_PAGE else 0,
    }
    return render(request, "settings/security.html", context)


def _page(request: UserRequest) -> int:
    asked = request.GET.get("page", "1")
    return min(max(int(asked[:6]), 1), LAST_PAGE) if asked.isascii() and asked.isdigit() else 1


@require_GET
def second_factor(request: UserRequest) -> HttpResponse:
    """Where allauth leads after every change, and whoever still has to set up a second factor."""
    return render(request, "mfa/index.html", {"factors": own_security.factors_of(request.user)})


@login_not_required
def second_step(request: HttpRequest) -> HttpResponseBase:
    """allauth's question for the second factor. One that was removed meanwhile leads back to signing in, not round in a circle."""
    stage = get_pending_stage(request)
    if stage and stage.key == AuthenticateStage.key and not is_mfa_enabled(stage.login.user, SECOND_STEPS):
        clear_login(request)
        return redirect("account_login")
    return authenticate(request)


@require_http_methods(["GET", "POST"])
def end_session(request: UserRequest, reference: str) -> HttpResponse:
    """Ask, then end one of the person's own sessions. A session that has just ended by itself is a stranger's: 404."""
    own = own_security.find_session(request.user, request, reference)
    if own is None or own.is_this:
        raise Http404
    if request.method == "POST":
        sessions.end_session(own.row, actor=request.user, request=request)
        messages.success(request, _("The session is ended."))
        return redirect("settings_security")
    return render(request, "settings/session_end.html", {"own": own})


@require_http_methods(["GET", "POST"])
def end_other_sessions(request: UserRequest) -> HttpResponse:
    if request.method == "POST":
        keep = request.session.session_key or ""
        count = sessions.end_all(request.user, keep_session_key=keep, actor=request.user, request=request, reason="ended")
        messages.success(request, ngettext("%d session is ended.", "%d sessions are ended.", count) % count)
        return redirect("settings_security")
    others = [own for own in own_security.sessions_of(request.user, request) if not own.is_this]
    return render(request, "settings/session_end.html", {"others": others})
