"""`/settings/studio/…`: the studio one works in, its people and its invitations."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import step_up
from accounts.forms import StudioForm
from accounts.http import UserRequest
from accounts.models import Invitation, Membership, Organization
from accounts.services import invitations, studios
from accounts.studio_forms import DESCRIPTIONS, InviteForm, MemberRoleForm
from accounts.studio_roles import MANAGES, invitable, may, require

Role = Membership.Role


@require_http_methods(["GET", "POST"])
def studio(request: UserRequest) -> HttpResponse:
    mine = _mine(request, "studio.rename") if request.method == "POST" else studios.current_membership(request.user)
    posted = request.POST if request.method == "POST" else None
    form = StudioForm(posted, instance=Organization(pk=mine.organization_id, name=mine.organization.name))
    if form.is_valid():
        studios.rename_organization(mine.organization, name=form.cleaned_data["name"], actor=request.user, request=request)
        messages.success(request, _("Saved."))
        return redirect("settings_studio")
    return _page(request, mine, rename=form)


def _mine(request: UserRequest, operation: str) -> Membership:
    """One's place in the studio that the form names: the one in use may have changed in another tab since."""
    named = request.POST.get("studio")
    if not named:
        return require(request.user, studios.current_organization(request.user), operation)
    try:
        organization = get_object_or_404(Organization, pk=UUID(named))
    except ValueError:
        raise Http404 from None
    return require(request.user, organization, operation)


def _page(request: UserRequest, mine: Membership, *, rename: StudioForm | None = None, invite: InviteForm | None = None) -> HttpResponse:
    people = list(Membership.objects.in_order().filter(organization=mine.organization))
    owners = sum(person.role == Role.OWNER and person.user.is_active for person in people)
    invites = may(mine.role, "members.invite")
    known = Membership.objects.current().filter(user=request.user).values("organization")
    waiting = Invitation.objects.open().filter(organization=mine.organization).select_related("invited_by").order_by("-created_at")
    context = {
        "mine": mine,
        "studio": mine.organization,
        "rename": (rename or StudioForm(instance=mine.organization)) if may(mine.role, "studio.rename") else None,
        "people": [_row(mine, person, owners) for person in people],
        "invite": (invite or InviteForm(inviter=mine)) if invites else None,
        "invitations": [(row, row.role in invitable(mine.role)) for row in waiting] if invites else [],
        "invited": Invitation.objects.for_user(request.user).exclude(organization__in=known),
        "descriptions": [(role.label, DESCRIPTIONS[role]) for role in Role],
        "last_owner": mine.role == Role.OWNER and owners == 1,
        "alone": len(people) == 1,
    }
    return render(request, "settings/studio.html", context)


def _row(mine: Membership, person: Membership, owners: int) -> dict[str, Any]:
    """A colleague and what one may do with their membership."""
    own = person.pk == mine.pk
    manages = person.role in MANAGES[mine.role] and not (person.role == Role.OWNER and owners == 1)
    roles = [role for role in Role if role in MANAGES[mine.role] and role not in {person.role, Role.OWNER}] if manages else []
    return {
        "membership": person,
        "own": own,
        "roles": roles,
        "may_own": mine.role == Role.OWNER and person.role != Role.OWNER,
        "removable": manages and not own,
    }


@require_POST
def switch(request: UserRequest) -> HttpResponse:
    organization = _mine(request, "studio.view").organization
    studios.switch(request.user, organization, request=request)
    messages.success(request, _("You work in %(studio)s now.") % {"studio": organization.name})
    return redirect("settings_studio" if request.POST.get("next") == reverse("settings_studio") else "home")


@require_http_methods(["GET", "POST"])
def invite(request: UserRequest) -> HttpResponse:
    if request.method == "GET":  # the address of a refused form, loaded again
        return redirect("settings_studio")
    mine = _mine(request, "members.invite")
    form = InviteForm(request.POST, inviter=mine)
    if form.is_valid():
        fields = form.cleaned_data
        try:
            invitations.invite(mine.organization, email=fields["email"], role=fields["role"], actor=request.user, request=request)
        except ValidationError as fault:
            form.add_error("email", fault)
        except OSError:
            _not_sent(request)
            return redirect("settings_studio")
        else:
            messages.success(request, _("We have sent the invitation to %(email)s.") % {"email": fields["email"]})
            return redirect("settings_studio")
    return _page(request, mine, invite=form)


def _not_sent(request: UserRequest) -> None:
    messages.error(request, _("The invitation is saved, but its mail could not be sent. Send it again in a moment."))


def _invitation(request: UserRequest, pk: UUID) -> Invitation:
    row = get_object_or_404(Invitation.objects.select_related("organization"), pk=pk)
    mine = require(request.user, row.organization, "members.invite")
    if row.role not in invitable(mine.role):
        raise PermissionDenied
    return row


@require_POST
def invitation_resend(request: UserRequest, pk: UUID) -> HttpResponse:
    row = _invitation(request, pk)
    try:
        invitations.resend(row, actor=request.user, request=request)
    except ValidationError as fault:
        messages.error(request, fault.messages[0])
    except OSError:
        _not_sent(request)
    else:
        messages.success(request, _("Sent again to %(email)s. The link in the former mail no longer works.") % {"email": row.email})
    return redirect("settings_studio")


@require_POST
def invitation_revoke(request: UserRequest, pk: UUID) -> HttpResponse:
    row = _invitation(request, pk)
    try:
        invitations.revoke(row, actor=request.user, request=request)
    except ValidationError as fault:
        messages.error(request, fault.messages[0])
    else:
        messages.success(request, _("The invitation of %(email)s is withdrawn.") % {"email": row.email})
    return redirect("settings_studio")


def _colleague(request: UserRequest, pk: UUID, operation: str) -> tuple[Membership, Membership]:
    """Their membership and one's own: 404 for a stranger's studio, 403 without the right."""
    theirs = get_object_or_404(Membership.objects.current().select_related("user", "organization"), pk=pk)
    mine = require(request.user, theirs.organization, operation)
    if theirs.role not in MANAGES[mine.role]:
        raise PermissionDenied
    return theirs, mine


@require_POST
def member_role(request: UserRequest, pk: UUID) -> HttpResponse:
    theirs = _colleague(request, pk, "members.change_role")[0]
    form = MemberRoleForm(request.POST)
    if not form.is_valid():
        raise BadRequest("no such role")
    return _change(request, theirs, form.cleaned_data["role"])


def _change(request: UserRequest, theirs: Membership, role: str) -> HttpResponse:
    try:
        changed = studios.change_member_role(theirs, role=role, actor=request.user, request=request)
    except ValidationError as fault:
        messages.error(request, fault.messages[0])
    else:
        said = {"person": theirs.user, "role": changed.get_role_display()}
        messages.success(request, _("%(person)s: %(role)s from now on.") % said)
    return redirect("settings_studio")


@require_http_methods(["GET", "POST"])
def member_owner(request: UserRequest, pk: UUID) -> HttpResponse:
    """Handing over begins here: make somebody an owner, then leave or step down if that is wanted."""
    theirs, mine = _colleague(request, pk, "members.change_role")
    if mine.role != Role.OWNER:
        raise PermissionDenied
    step_up.require(request)
    if request.method == "POST":
        return _change(request, theirs, Role.OWNER)
    return render(request, "settings/member_owner.html", {"person": theirs})


@require_http_methods(["GET", "POST"])
def member_remove(request: UserRequest, pk: UUID) -> HttpResponse:
    theirs, mine = _colleague(request, pk, "members.remove")
    if theirs.pk == mine.pk:
        return redirect("settings_studio_leave")
    if request.method == "GET":
        return render(request, "settings/member_remove.html", {"person": theirs})
    try:
        studios.remove_member(theirs, actor=request.user, request=request)
    except ValidationError as fault:
        messages.error(request, fault.messages[0])
    else:
        messages.success(request, _("%(person)s no longer belongs to the studio.") % {"person": theirs.user})
    return redirect("settings_studio")


@require_http_methods(["GET", "POST"])
def leave(request: UserRequest) -> HttpResponse:
    mine = _mine(request, "studio.view")
    if request.method == "GET":
        return render(request, "settings/studio_leave.html", {"studio": mine.organization})
    try:
        studios.leave(mine, request=request)
    except ValidationError as fault:
        messages.error(request, fault.messages[0])
    else:
        messages.success(request, _("You have left %(studio)s.") % {"studio": mine.organization.name})
    return redirect("settings_studio")
