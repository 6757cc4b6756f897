"""One contract for every connector: what staff, the engine and the test bench may rely on, whatever is read."""

import json

import pytest
from django.core.exceptions import ValidationError

from integrations.connectors import CONNECTORS, AccessToken, MailConnector, csv_upload, http_json, inbound_webhook
from integrations.errors import ProviderError
from integrations.forms import SettingsForm
from integrations.models import Connection, Delivery, Pipeline, SourceFile, Transformation
from integrations.services import configured, connections, deliveries, opening, uploads
from tests.accounts.people import make_user

pytestmark = pytest.mark.django_db
SECRET = "s3cret-Value"
CANARY = "Zanzibar-Quokka"
RECORDS = [{"id": str(n), "name": f"{CANARY} {n}"} for n in range(1, 6)]
OF_RECORDS = [name for name, kind in CONNECTORS.items() if not issubclass(kind, MailConnector)]


@pytest.fixture
def designer(db):
    return make_user(role="designer")


class Supply:
    """A connection of the instance's over each kind of source, with five records, or with something unreadable, behind it."""

    def __init__(self, provider, feed, designer):
        self.provider, self.feed, self.designer = provider, feed, designer
        self.config = {"id": "id"}
        if provider == "http_json":
            self.config |= {"url": f"{feed.url}/feed", "auth": "bearer", "secret": SECRET}
        self.connection = configured.add(provider, "Source", self.config, actor=designer)
        steps = Transformation.objects.create(name=provider, steps=[{"do": "map", "fields": {"name": "name"}}])
        self.pipeline = Pipeline.objects.create(name="P", connection=self.connection, transformation=steps, destination="dataset")

    def fill(self, *, broken=False):
        if self.provider == "http_json":
            self.feed.pages["/feed"] = f"<{CANARY}".encode() if broken else RECORDS
        elif self.provider == "csv_upload":
            intake = uploads.Intake(self.connection, actor=self.designer)
            intake.write("\n".join(["id,name", *(f"{one['id']},{one['name']}" for one in RECORDS)]).encode())
            intake.write(f'\n9,"{CANARY} is never closed'.encode() if broken else b"")
            intake.end()
        else:
            for number, one in enumerate(RECORDS):
                body = f"{{{CANARY}" if broken else json.dumps(one)
                Delivery.objects.create(connection=self.connection, pipeline=self.pipeline, digest=bytes([number]), body=body)

    def open(self):
        return opening.open_source(self.connection, acting_user=self.designer, stopping=lambda _seconds: False, pipeline=self.pipeline)


@pytest.fixture
def supply(feed, designer, monkeypatch):
    for module in (http_json, csv_upload, inbound_webhook):
        monkeypatch.setattr(module, "BATCH", 2)
    return lambda provider: Supply(provider, feed, designer)


@pytest.mark.parametrize("provider", CONNECTORS)
def test_how_a_connector_is_told_what_to_do(provider):
    kind = CONNECTORS[provider]
    names = [setting.name for setting in kind.settings]
    assert kind.provider == provider in Connection.Provider.values and len(names) == len(set(names))
    assert [setting.name for setting in kind.settings if setting.secret] in ([], ["secret"])
    assert bool(kind.scopes) is not bool(kind.settings) and set(kind.told_apart_by) <= set(names)
    if not kind.settings:
        return
    form = SettingsForm(kind=kind)
    html = str(form)
    assert list(form.fields) == ["name", *names] and all(f'name="{name}"' in html for name in names)
    assert all(form.fields[setting.name].help_text == setting.help or setting.secret for setting in kind.settings)
    good = {setting.name: setting.initial for setting in kind.settings} | {"url": "https://feed.example.com/"}
    assert set(configured.cleaned(kind, good)) == set(names)
    for setting in kind.settings:
        wrong = ["none of them"] if setting.choices else ["x" * (setting.longest + 1), *([""] if setting.required else [])]
        for value in wrong:
            with pytest.raises(ValidationError) as caught:
                configured.cleaned(kind, good | {setting.name: value})
            assert setting.name in caught.value.message_dict


@pytest.mark.parametrize("provider", OF_RECORDS)
def test_records_are_read_in_batches_from_any_mark_and_nothing_changes_by_reading(supply, provider):
    source = supply(provider)
    source.fill()
    opened = source.open()
    assert CANARY not in repr(opened) and (source.connection.secret or SECRET) not in repr(opened)
    assert opened.check().isdecimal()
    batches = list(opened.read(""))
    ids = [[record.id for record in batch.records] for batch in batches]
    assert [name for batch in ids for name in batch] == ["1", "2", "3", "4", "5"] and max(map(len, ids)) <= 2
    assert all(batch.records[0].data == RECORDS[int(batch.records[0].id) - 1] for batch in batches if batch.records)
    assert CANARY not in repr(batches) and not any(batch.faults for batch in batches)
    assert [[record.id for record in batch.records] for batch in source.open().read("")] == ids  # the test bench takes a sample
    if opened.holds != "deliveries":  # what is taken in is gone from the queue instead
        rest = [record.id for batch in source.open().read(batches[0].mark) for record in batch.records]
        assert rest == ["3", "4", "5"] and not batches[-1].mark and CANARY not in batches[0].mark
    for batch in batches:
        if batch.settle is not None:
            batch.settle()
    if opened.holds:
        assert not SourceFile.objects.exists() and not Delivery.objects.waiting().exists()
    opened.close()
    opened.close()


@pytest.mark.parametrize("provider", OF_RECORDS)
def test_what_cannot_be_read_is_told_without_a_word_of_it(supply, provider):
    source = supply(provider)
    source.fill(broken=True)
    told = []
    try:
        for batch in source.open().read(""):
            told += batch.faults
    except ProviderError as error:
        told.append(f"{error!r} {error.detail}")
    assert told and CANARY not in str(told)


@pytest.mark.parametrize("provider", OF_RECORDS)
def test_a_test_of_the_connection_tells_a_code_and_heals(supply, provider, designer):
    source = supply(provider)
    Connection.objects.filter(pk=source.connection.pk).update(status="error", error_code="x")
    source.fill() if provider != "csv_upload" else None
    if provider == "csv_upload":
        assert connections.check_connection(source.connection, actor=designer) == "file_missing"
        Connection.objects.filter(pk=source.connection.pk).update(status="active")
        source.connection.refresh_from_db()
        source.fill()
    assert connections.check_connection(source.connection, actor=designer) == ""
    source.connection.refresh_from_db()
    assert source.connection.status == "active"
    connections.disconnect(source.connection, actor=designer)
    source.connection.refresh_from_db()
    assert source.connection.secret is None and not SourceFile.objects.exists() and not Delivery.objects.exists()
    assert connections.check_connection(source.connection, actor=designer) == "not_connected"


def test_the_mailbox_keeps_its_part_of_the_contract(sandbox, connect):
    row = connect()
    opened = CONNECTORS["gmail"](AccessToken(row.access_token), account=row.provider_subject, stopping=lambda _seconds: False)
    assert row.access_token not in repr(opened) + repr(opened.token) and opened.check() == row.account_email
    assert opened.position("").mark and opened.list_ids(None).ids == []
    opened.close()
    opened.close()


def test_the_secret_of_a_webhook_is_ours_alone_to_make(designer):
    given = configured.add("inbound_webhook", "Site", {"secret": "mine"}, actor=designer)
    (made,) = deliveries.secrets_of(given)
    assert made != "mine" and len(made) > 40 and "secret" not in given.config
