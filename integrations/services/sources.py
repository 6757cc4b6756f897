"""A person's own sources of records: files they bring, forms of their website that call us, feeds; each with one pipeline of its own."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from audit.services import record
from integrations.connectors import CONNECTORS, RecordConnector
from integrations.models import Connection, Pipeline, Transformation, TransformationVersion
from integrations.schedule import next_after
from integrations.services import configured, datasets

MOST = 10  # that are not disconnected, of one person
WHOLE = "Records as they come"  # the transformation that all of them share; staff may change it, but not this version of it
STEPS = [{"do": "map", "fields": {datasets.WHOLE: "@"}}]
DESTINATIONS = ("contacts", datasets.NAME)
KINDS = tuple(name for name, kind in CONNECTORS.items() if issubclass(kind, RecordConnector))
BY_HAND = ""  # what arrives is read when it arrives; only a feed is asked by the clock


class TooManySources(Exception):
    """The person has as many as they may."""


def own(user: User) -> Any:
    return Connection.objects.visible_to(user).filter(provider__in=KINDS).for_pages().working_first()


def add(
    user: User, provider: str, name: str, values: Mapping[str, Any], *, destination: str, request: HttpRequest | None = None
) -> Connection:
    """Raises ValidationError by setting, AlreadyThere, TooManySources."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if own(user).exclude(status=Connection.Status.REVOKED).count() >= MOST:
            raise TooManySources
        connection = configured.add(provider, name, values, actor=user, owner=user, request=request)
        version = _whole(user)
        schedule = Pipeline._meta.get_field("schedule").default if provider == Connection.Provider.HTTP_JSON else BY_HAND
        pipeline = Pipeline(
            name=connection.name or str(connection), connection=connection, transformation=version.transformation, pinned=version,
            destination=destination if destination in DESTINATIONS else datasets.NAME, schedule=schedule,
            next_run_at=next_after(schedule, timezone.now()),
        )  # fmt: skip
        pipeline.clean()
        pipeline.save()
        record("pipeline.created", pipeline, actor=user, request=request)
    return connection


def _whole(user: User) -> TransformationVersion:
    """The version that keeps everything, made by whoever needs it first."""
    found = TransformationVersion.objects.filter(transformation__name=WHOLE, steps=STEPS).select_related("transformation").first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            made = Transformation.objects.create(name=WHOLE, steps=STEPS)
            record("transformation.created", made, actor=user, version=made.version)
            return TransformationVersion.objects.create(transformation=made, number=made.version, steps=STEPS)
    except IntegrityError:  # somebody else was first, or staff took the name
        row = Transformation.objects.select_for_update().get(name=WHOLE)
        number = max(row.versions.values_list("number", flat=True), default=0) + 1
        return row.versions.filter(steps=STEPS).first() or row.versions.create(number=number, steps=STEPS)
