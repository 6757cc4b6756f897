"""Who may see and change what of a studio, as views ask it: a stranger finds nothing, a colleague without the right is refused."""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404

from accounts.http import UserRequest
from accounts.models import Membership, Organization
from accounts.services import studios
from accounts.studio_roles import may, require


def here(request: UserRequest, operation: str) -> Membership:
    """One's place in the studio in use. Raises PermissionDenied without the right to `operation` there."""
    mine = studios.current_membership(request.user)
    if not may(mine.role, operation):
        raise PermissionDenied
    return mine


def found(request: UserRequest, rows: Any, pk: UUID, operation: str) -> tuple[Any, Membership]:
    """A row of any of one's studios, and one's place there. Raises Http404, PermissionDenied."""
    row = get_object_or_404(rows, pk=pk)
    return row, require(request.user, Organization(pk=row.organization_id), operation)
