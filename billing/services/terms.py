"""Changing the terms of contributions."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction

from accounts.models import User
from audit.services import record
from billing.models import ContributionTerms


@transaction.atomic
def change(row: ContributionTerms, fields: list[str], *, actor: User, request: Any = None) -> None:
    if not actor.has_perm("billing.change_contributionterms"):
        raise PermissionDenied
    row.save()
    if fields:
        record("contribution.terms_changed", row, actor=actor, request=request, fields=sorted(fields))
