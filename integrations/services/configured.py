"""Connections that nobody authorises elsewhere: staff for the instance, or a person for themselves, tell the connector what it needs."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from audit.services import record
from integrations.connectors import CONNECTORS, Connector
from integrations.models import Connection
from integrations.services import deliveries

LONGEST_NAME = 80
SECRET = "secret"  # nosec B105 - the name of a setting


class AlreadyThere(Exception):
    """The instance reads this source already."""


def cleaned(kind: type[Connector], values: Mapping[str, Any], *, kept_secret: str = "") -> dict[str, str]:
    """Every setting of `kind` as text. Raises ValidationError by setting; an empty secret means the one that is kept."""
    found: dict[str, str] = {}
    errors: dict[str, Any] = {}
    for setting in kind.settings:
        value = values.get(setting.name)
        text = str(setting.initial if value is None else value).strip()
        found[setting.name] = text = text or (kept_secret if setting.secret else "")
        if setting.required and not text:
            errors[setting.name] = _("This is needed.")
        elif len(text) > setting.longest:
            errors[setting.name] = _("This is too long.")
        elif setting.choices and text not in dict(setting.choices):
            errors[setting.name] = _("Choose one of those offered.")
    errors |= {} if errors else kind.faults(found)
    if errors:
        raise ValidationError(errors)
    return found


def _subject(row: Connection, values: Mapping[str, str]) -> str:
    """The same source, read the same way, is one connection; what others bring to us is not told apart by how it is read."""
    names = CONNECTORS[row.provider].told_apart_by
    if not names:
        return str(row.pk)
    told = "\n".join(value for name, value in sorted(values.items()) if name in names)
    return hashlib.sha256(told.encode()).hexdigest()


def _put(row: Connection, name: str, values: dict[str, str]) -> None:
    kind = CONNECTORS[row.provider]
    row.name = name.strip()[:LONGEST_NAME]
    if kind.makes_secret:
        row.secret = row.secret or deliveries.new_secret()
    else:
        row.secret = (values.get(SECRET) or None) if kind.wants_secret(values) else None
    row.config = {key: value for key, value in values.items() if key != SECRET}
    row.provider_subject = _subject(row, values)
    row.status, row.error_code = Connection.Status.ACTIVE, ""


def add(
    provider: str, name: str, values: Mapping[str, Any], *, actor: User, owner: User | None = None, request: HttpRequest | None = None
) -> Connection:
    """One of the instance's, or of the actor's own. Raises PermissionDenied, ValidationError, AlreadyThere."""
    if owner != actor and not (owner is None and actor.has_perm("integrations.add_connection")):
        raise PermissionDenied
    row = Connection(provider=provider, owner=owner)
    _put(row, name, cleaned(CONNECTORS[provider], values))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            record("connection.created", row, actor=actor, request=request, provider=provider)
    except IntegrityError:
        raise AlreadyThere from None
    return row


def change(row: Connection, name: str, values: Mapping[str, Any], *, actor: User, request: HttpRequest | None = None) -> Connection:
    """Tell the connector something else; what was failing is tried again. Raises PermissionDenied, ValidationError, AlreadyThere."""
    if row.owner_id is not None or not actor.has_perm("integrations.change_connection"):
        raise PermissionDenied
    try:
        with transaction.atomic():
            row = Connection.objects.select_for_update().get(pk=row.pk)
            if row.status == Connection.Status.REVOKED:
                raise PermissionDenied
            before = (row.name, row.config)
            _put(row, name, cleaned(CONNECTORS[row.provider], values, kept_secret=_secret_for_the_same_host(row, values)))
            row.save()
            fields = [] if before == (row.name, row.config) else ["config"]
            fields += [SECRET] if values.get(SECRET) else []
            record("connection.updated", row, actor=actor, request=request, fields=fields)
    except IntegrityError:
        raise AlreadyThere from None
    return row


def _secret_for_the_same_host(row: Connection, values: Mapping[str, Any]) -> str:
    """Nobody gets at a secret by pointing its connection to a host of their own: another address wants it given again."""
    return (row.secret or "") if values.get("url", row.config.get("url")) == row.config.get("url") else ""


@transaction.atomic
def mark_failing(connection: Connection, *, code: str) -> None:
    """It refuses us: nothing runs until somebody has given another secret, or tested that it takes this one again."""
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    if row.status != Connection.Status.ACTIVE:
        return
    row.status, row.error_code = Connection.Status.ERROR, code
    row.save(update_fields=["status", "error_code"])
    record("connection.needs_reauth", row, reason=code)


@transaction.atomic
def mark_working(connection: Connection) -> None:
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    if row.status == Connection.Status.ERROR:
        row.status, row.error_code = Connection.Status.ACTIVE, ""
        row.save(update_fields=["status", "error_code"])
        record("connection.resumed", row)
