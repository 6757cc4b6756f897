"""Nothing happens off the record: every write, every read of somebody else's data by staff, every name in the registry (R-109 … R-119)."""

from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.admin import site as console
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse

from audit.actions import ACTIONS
from audit.middleware import ActivityMiddleware
from audit.models import Activity
from audit.reads import INSTANCES, LISTED, NOBODYS_MODELS, NOBODYS_PAGES, OWN, VIEWED
from audit.services import record
from tests.accounts.people import make_user
from tests.api.caller import with_token
from tests.api.things import someones_things
from tests.audit.written import ROOT, Calls, literals, parsed, prefixes, sources
from vault.errors import SealedDataError

OURS = sorted(Path(config.path).name for config in apps.get_app_configs() if Path(config.path).parent == ROOT)

# Writes that are nobody's act: why each stands on no record.
MACHINERY = {
    "accounts.ended_sessions.told": "a note in the cache",
    "accounts.lockout.forget": "a counter in the cache",
    "accounts.sessions.save": "a session's last use; its beginning and end are on record",
    "accounts.services.tokens.forget_old": "ends of sessions that are on record, a month later",
    "audit.seal.heads._bring_up_to_date": "how far a place outside has the heads",
    "audit.seal.heads.publish": "how far a place outside has the heads",
    "audit.seal.sealing._seal_batch": "the seals themselves",
    "documents.payment_code.epc_qr": "a picture in memory",
    "documents.services.archiving._archive": "where the file of an issued document lies; issuing it is on record with the content's hash",
    "integrations.engine.ledger._write": "progress of a run; its beginning and end are on record with their counts",
    "integrations.engine.ledger.commit": "progress of a run",
    "integrations.engine.ledger.note": "progress of a run",
    "integrations.google_calendar.delete": "an event at Google; what ended here is on record",
    "integrations.google_calendar.drop_calendar": "a calendar at Google that somebody else was faster to make",
    "integrations.google_calendar.update": "an event at Google; what changed here is on record",
    "integrations.services.datasets.keep_retention": "rows at the end of the time that their pipeline names",
    "integrations.services.datasets.store_page": "rows of a run; its end is on record with their count",
    "integrations.services.deliveries.settle": "what a run took in; its end is on record with their count",
    "integrations.services.deliveries.sweep": "deliveries at the end of their time",
    "integrations.services.uploads._place_among_the_waiting": "a file that begins to come in; that it has is on record",
    "integrations.services.uploads._keep": "pieces of a file that comes in; that it has is on record",
    "integrations.services.uploads.abandon": "a file that was refused, or whose sender went away",
    "integrations.services.uploads.settle": "what a run has read; its end is on record with its counts",
    "integrations.services.uploads.sweep": "files at the end of their time",
    "mailing.object_store.delete": "the object of a file whose adding is on record",
    "mailing.services.files.attach": "part of the e-mail, which is on record",
    "mailing.services.files.remove": "files that lie for a mail only; adding one is on record, and the mail",
    "operations.known_secrets._first_seen": "since when a secret is in use",
    "operations.maintenance.sweeps._delete_attachments": "counted; the cleanup is on record with its counts",
    "operations.maintenance.sweeps._in_batches": "counted; the cleanup is on record with its counts",
    "operations.services.containment.keep_blocklist": "blocks that ended by themselves; their setting is on record with its end",
    "operations.services.exports._claim": "progress of an export; asking for it and downloading it are on record",
    "operations.services.exports._delete_file": "the end of an export's time",
    "operations.services.exports._held": "progress of an export",
    "operations.services.exports._keep": "progress of an export",
    "operations.services.exports.sweep": "the end of an export's time",
    "operations.services.maintenance.jobs": "the shipped schedule, made on first sight; each change is on record",
    "vault.ring._salt_of": "key material; rotation is on record",
    "vault.services._new_key": "a key on first use",
    "vault.services.destroy_key": "part of an erasure, which is on record by an id that says nothing",
}


def test_whatever_writes_to_the_database_is_on_record_or_named_here():
    found = Calls(sources(OURS)).unrecorded()
    unknown = {name: writes for name, writes in found.items() if name not in MACHINERY}
    assert not unknown, "record() it in the same transaction, or say in MACHINERY why it is nobody's act"


def test_a_write_without_a_record_would_be_found():
    texts = {
        "a.services": "from b.store import keep\ndef add(x):\n    x.save()\n    note(x)\ndef note(x):\n    record('x')\n"
        "def quiet(x):\n    x.delete()\ndef half(x):\n    keep(x)\ndef whole(x):\n    keep(x)\n    note(x)\n",
        "b.store": "def keep(x):\n    x.objects.create()\ndef inner(x):\n    x.save()\ndef outer(x):\n    inner(x)\n    record('x')\n"
        "def raw(x):\n    x.execute('UPDATE y SET z = 1')\ndef read(x):\n    x.execute('SELECT 1')\n",
    }
    assert set(Calls(texts).unrecorded()) == {"a.services.quiet", "b.store.keep", "b.store.raw"}


def test_every_name_of_the_registry_is_emitted_somewhere():
    texts = {name: text for name, text in sources(OURS).items() if name not in {"audit.actions", "audit.detectors"}}
    trees = [parsed(text) for text in texts.values()]
    said = {text for tree in trees for text in literals(tree)}
    begun = tuple(text for tree in trees for text in prefixes(tree))
    assert not [action for action in ACTIONS if action not in said and not action.startswith(begun)]


# --- reads -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def admin(db):
    return make_user(role="admin", email="admin@example.test")


def reads() -> list[tuple[str, str]]:
    rows = Activity.objects.filter(action__in=[LISTED, VIEWED]).order_by("recorded_at", "id")
    return [(row.action, row.details.get("view") or f"{row.target_type} {row.target_id}") for row in rows]


LISTS = sorted(model._meta.label_lower for model in console._registry if model._meta.label_lower not in NOBODYS_MODELS)


def test_every_list_of_the_console_that_staff_open_is_on_record(admin, client):
    client.force_login(admin)
    someones_things(make_user())
    opened = []
    for label in LISTS:
        name = f"admin:{label.replace('.', '_')}_changelist"
        if client.get(reverse(name)).status_code == 200:
            opened.append((LISTED, name))
    assert len(opened) > 15 and reads() == opened
    counted = Activity.objects.get(action=LISTED, details__view="admin:accounts_user_changelist")
    assert counted.details["count"] == 2 and counted.actor_id == admin.pk and counted.address == "127.0.0.1"


def test_pages_and_objects_of_other_people_are_on_record_and_ones_own_account_is_not(admin, client):
    client.force_login(admin)
    other = make_user()
    activity = record("user.updated", other)
    for path in ("accounts/user", "audit/activity"):
        key = other.pk if path.startswith("accounts") else activity.pk
        assert client.get(f"/admin/{path}/{key}/change/").status_code == 200
    assert client.get(f"/admin/accounts/user/{admin.pk}/change/").status_code == 200
    assert client.get("/admin/operations/data-protection/").status_code == 200
    assert client.get("/admin/operations/containment/").status_code == 200
    assert client.get("/admin/operations/analytics/").status_code == 200
    expected = [(VIEWED, f"accounts.user {other.pk}"), (VIEWED, f"audit.activity {activity.pk}")]
    assert reads() == [*expected, (LISTED, "admin:operations_data_protection"), (LISTED, "admin:operations_containment")]


def test_reads_of_the_api_by_staff_are_on_record(admin):
    caller, other = with_token(admin), make_user()
    things = someones_things(other)
    for path in (
        "users",
        f"users/{other.pk}",
        f"users/{admin.pk}",
        "activity-logs",
        f"runs/{things.run.pk}",
        "me",
        "sessions",
        "transformations",
    ):
        assert caller.get(f"/api/v1/{path}").status_code == 200, path
    assert reads() == [(LISTED, "api:users"), (VIEWED, "api:user"), (LISTED, "api:activity_logs"), (VIEWED, "api:run")]
    viewed = Activity.objects.get(details__view="api:user")
    assert viewed.details["of"] == str(other.pk) and viewed.credential == "token"


def test_what_shows_nobodys_data_is_named_rightly():
    from accounts.api.urls import urlpatterns as accounts_api
    from integrations.api.urls import urlpatterns as integrations_api
    from operations.api import urlpatterns as operations_api
    from tracker.api import urlpatterns as tracker_api

    names = {route.name for route in [*accounts_api, *integrations_api, *operations_api, *tracker_api]}
    assert names >= OWN | INSTANCES
    pages = {pattern.name for pattern in console.get_urls() if getattr(pattern, "name", None)}
    models = {name for model_admin in console._registry.values() for name in (one.name for one in model_admin.get_urls())}
    assert pages | models >= NOBODYS_PAGES
    assert {model._meta.label_lower for model in console._registry} >= NOBODYS_MODELS


def test_members_and_refused_readers_leave_no_read(db, client):
    client.force_login(make_user())
    assert client.get("/admin/accounts/user/").status_code == 403
    assert client.get("/opportunities/").status_code == 200
    assert reads() == [] and Activity.objects.filter(action="permission.denied").count() == 1


# --- what was refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("error", "action"), [(PermissionDenied, "permission.denied"), (SealedDataError, "sealed_data.failed")])
def test_what_was_refused_survives_the_rollback_of_its_request(error, action):
    """The view's transaction is undone, with its own record; that of the refusal stands."""
    user, request = make_user(), RequestFactory().get("/")
    request.user, request.resolver_match = user, None

    def view(request):
        try:
            with transaction.atomic():
                record("user.updated", user, request=request)
                raise error
        except error as caught:
            middleware.process_exception(request, caught)
            return HttpResponse(status=403)

    middleware = ActivityMiddleware(view)
    middleware(request)
    assert [row.action for row in Activity.objects.filter(actor_id=user.pk).exclude(action="organization.created")] == [action]
