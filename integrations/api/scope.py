"""What one sees, and whose it is."""

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied

from accounts.models import User

Row = TypeVar("Row", bound=Model)
BELONGS_TO = ("me", "instance", "member")
PARAMETER = OpenApiParameter("belongs_to", str, enum=BELONGS_TO, description="Whose they are.")


def seen_by(user: User, rows: QuerySet[Row], *, owner: str, permission: str) -> QuerySet[Row]:
    """One's own, and for those with `permission` all; `owner` is the path to the owner."""
    return rows if user.has_perm(permission) else rows.filter(**{owner: user})


def narrowed(user: User, rows: QuerySet[Row], *, owner: str, asked: str | None) -> QuerySet[Row]:
    """Only those that belong to whom was asked for. Raises ValidationError."""
    if asked is None:
        return rows
    if asked not in BELONGS_TO:
        raise serializers.ValidationError({"belongs_to": [f"Must be one of {', '.join(BELONGS_TO)}."]})
    if asked == "me":
        return rows.filter(**{owner: user})
    if asked == "instance":
        return rows.filter(**{f"{owner}__isnull": True})
    return rows.filter(**{f"{owner}__isnull": False}).exclude(**{owner: user})


def whose(user: User, owner_id: UUID | None) -> str:
    if owner_id is None:
        return "instance"
    return "me" if owner_id == user.pk else "member"


def one(rows: QuerySet[Row], pk: UUID) -> Row:
    found = rows.filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def require(user: User, owner_id: UUID | None, permission: str) -> None:
    """One's own, or the instance's with `permission`; of a member's own thing staff change nothing. Raises PermissionDenied."""
    if owner_id == user.pk or (owner_id is None and user.has_perm(permission)):
        return
    raise PermissionDenied("You may not do this.", code="forbidden")


class BelongsTo(serializers.ChoiceField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=BELONGS_TO, help_text="Whose it is.", **kwargs)
