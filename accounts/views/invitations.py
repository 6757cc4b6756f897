"""`/invitations/…`: where the link of a mailed invitation leads, with or without an account.

The link's token is exchanged for its hash in the session and the address without it, so that it stays in no address bar,
history, referer or log of ours.
"""

from uuid import UUID

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.http import UserRequest
from accounts.models import Invitation
from accounts.services import invitations

KEPT = "invitation"  # in the session: the hash of the token, in hexadecimal


@login_not_required
@require_GET
def invitation_open(request: HttpRequest, token: str) -> HttpResponse:
    token_hash = invitations.hash_of(token)
    invitation = invitations.find(token_hash)
    if invitation is None:
        request.session.pop(KEPT, None)
        response = _gone(request)
    else:
        request.session[KEPT] = token_hash.hex()
        if not request.user.is_authenticated:  # who holds the link reads that mailbox: no second mail when they sign up
            get_adapter().stash_verified_email(request, invitation.email)
        response = redirect("invitation")
    response["Referrer-Policy"] = "no-referrer"
    return response


def _kept(request: HttpRequest) -> Invitation | None:
    kept = request.session.get(KEPT)
    return invitations.find(bytes.fromhex(kept)) if kept else None


def _gone(request: HttpRequest) -> HttpResponse:
    return render(request, "invitations/gone.html", status=404)


@login_not_required
@require_GET
def invitation(request: UserRequest) -> HttpResponse:
    row = _kept(request)
    if row is None:
        return _gone(request)
    known = request.user.is_authenticated
    context = {"invitation": row, "known": known, "fits": known and invitations.is_for(row, request.user)}
    return render(request, "invitations/invitation.html", context)


def _named(request: UserRequest) -> Invitation:
    """The one that the form names, if it is the visitor's: by the link they opened or by an address they own. Else Http404."""
    try:
        pk = UUID(request.POST.get("invitation", ""))
    except ValueError:
        raise Http404 from None
    row = Invitation.objects.filter(pk=pk).select_related("organization").first()
    if row is None:
        raise Http404
    held = bytes(row.token_hash).hex() == request.session.get(KEPT)
    if not held and not (request.user.is_authenticated and invitations.is_for(row, request.user)):
        raise Http404
    return row


@require_POST
def invitation_accept(request: UserRequest) -> HttpResponse:
    row = _named(request)
    if not invitations.is_for(row, request.user):
        return redirect("invitation")  # which says whom it is for
    try:
        invitations.accept(row, user=request.user, request=request)
    except ValidationError as fault:
        row.refresh_from_db()
        if row.accepted_by_id != request.user.pk:  # the button pressed twice is no fault
            messages.error(request, fault.messages[0])
    else:
        messages.success(request, _("Welcome to %(studio)s.") % {"studio": row.organization.name})
    request.session.pop(KEPT, None)
    return redirect("settings_studio")


@login_not_required
@require_POST
def invitation_decline(request: UserRequest) -> HttpResponse:
    row, known = _named(request), request.user.is_authenticated
    try:
        invitations.decline(row, actor=request.user if known else None, request=request)
    except ValidationError as fault:
        messages.error(request, fault.messages[0])
    else:
        messages.success(request, _("You have declined. Nobody will remind you."))
    request.session.pop(KEPT, None)
    get_adapter().stash_verified_email(request, "")
    return redirect("settings_studio" if known else "account_login")


@require_POST
def invitation_sign_out(request: UserRequest) -> HttpResponse:
    """For somebody signed in to another account: sign out without losing the link."""
    row = _kept(request)
    logout(request)
    if row is None:
        return redirect("account_login")
    request.session[KEPT] = bytes(row.token_hash).hex()
    get_adapter().stash_verified_email(request, row.email)
    return redirect("invitation")
