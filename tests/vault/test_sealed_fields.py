"""Sealed fields as a developer meets them, on the activity log's address."""

import base64

import pytest
from django.apps import apps
from django.core.exceptions import FieldError
from django.db import connection, transaction
from django.test import RequestFactory

from aaperture.lib.uuid7 import uuid7
from audit.models import Activity
from audit.services import record
from integrations.models import Connection
from tests.accounts.people import make_user
from tests.operations.belongings import give_everything
from vault import services
from vault.errors import SealedFieldUpdateError
from vault.fields import SealedTextField

pytestmark = pytest.mark.django_db
CANARY = "203.0.113.77"


@pytest.fixture
def activity():
    request = RequestFactory().get("/", REMOTE_ADDR=CANARY, headers={"User-Agent": "CanaryBrowser/1"})
    request.user = make_user()
    record("user.login", request.user, request=request)
    return Activity.objects.get(action="user.login")


def test_the_column_holds_no_plain_text(activity):
    with connection.cursor() as cursor:
        cursor.execute("SELECT address, agent FROM audit_activity WHERE action = 'user.login'")
        address, agent = cursor.fetchone()
    assert CANARY.encode() not in bytes(address) and b"Canary" not in bytes(agent)


def test_integration_credentials_encrypted():
    """And every other sealed column: none holds the value it opens to."""
    user = make_user()
    give_everything(user, "canary-credential")
    found = set()
    for model in apps.get_models():
        for field in (field for field in model._meta.concrete_fields if isinstance(field, SealedTextField)):
            for row in model._base_manager.exclude(**{f"{field.name}__isnull": True}):
                with connection.cursor() as cursor:
                    key = model._meta.pk.column
                    cursor.execute(f'SELECT "{field.column}" FROM "{model._meta.db_table}" WHERE "{key}" = %s', [row.pk])
                    stored = bytes(cursor.fetchone()[0])
                value = getattr(row, field.name)
                assert value and value.encode() not in stored and base64.b64encode(value.encode()) not in stored, field
                found.add(str(field))
    credentials = {
        "integrations.Connection.access_token", "integrations.Connection.refresh_token", "integrations.Connection.secret",
        "mailing.SendingAccount.password", "accounts.ApiKey.signing_secret",
    }  # fmt: skip
    assert credentials <= found and len(found) >= 12, found


def test_reading_the_attribute_opens_it_and_nothing_else_does(activity, monkeypatch):
    calls = []
    real = services.open_sealed
    monkeypatch.setattr("vault.fields.services.open_sealed", lambda *args: calls.append(args) or real(*args))
    found = Activity.objects.get(action="user.login")
    assert repr(found.__dict__["address"]) == "<sealed>" and "<sealed>" in str(
        Activity.objects.filter(action="user.login").values("address")[0]
    )
    assert not calls
    assert found.address == CANARY and len(calls) == 1


def test_update_and_bulk_update_refuse_to_write_it(activity):
    with pytest.raises(SealedFieldUpdateError):
        Activity.objects.update(address="plain")
    activity.address = "plain"
    with pytest.raises(SealedFieldUpdateError):
        Activity.objects.bulk_update([activity], ["address"])


def test_a_copy_of_the_row_must_seal_anew():
    owner = make_user()
    first = Connection.objects.create(owner=owner, provider="gmail", provider_subject="1", refresh_token=CANARY)
    copied = Connection.objects.get(pk=first.pk)
    copied.pk, copied.provider_subject, copied._state.adding = uuid7(), "2", True
    with pytest.raises(SealedFieldUpdateError), transaction.atomic():
        copied.save()
    copied.refresh_token = first.refresh_token
    copied.save()
    assert {row.refresh_token for row in Connection.objects.all()} == {CANARY}


def test_it_can_only_be_filtered_by_isnull(activity):
    assert Activity.objects.filter(address__isnull=False).count() == 1
    with pytest.raises(FieldError):
        Activity.objects.filter(address=CANARY).count()


def test_it_is_never_serialised(activity):
    from django.core import serializers

    text = serializers.serialize("json", [Activity.objects.get(action="user.login")], fields=["address"])
    assert CANARY not in text and "<sealed>" in text
