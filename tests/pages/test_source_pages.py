"""The pages of a person's own sources in every look, and a table brought in a real browser."""

import pytest

from accounts.models import User
from integrations import engine
from integrations.models import Pipeline, Run
from integrations.services import sources
from tests.accounts.people import make_user
from tests.pages.look import TWO_LOOKS, look_at


@pytest.fixture
def camille(transactional_db) -> User:
    return make_user(email="camille@example.test", language="fr")


def test_pages_of_sources_are_sound_in_every_look(page, axe, live_server, login, camille, tmp_path):
    """In French, whose words are longer."""
    table = sources.add(camille, "csv_upload", "Prices of prints and albums, autumn", {"id": "ref"}, destination="dataset")
    hook = sources.add(camille, "inbound_webhook", "Website", {}, destination="contacts")
    pipeline = Pipeline.objects.get(connection=table)
    login(camille)
    file = tmp_path / "prices.csv"
    file.write_text("ref;title;price\n" + "".join(f"{n};Wedding, {n} prints of the very large kind;{n}00\n" for n in range(40)))
    page.goto(f"{live_server.url}/connections/{table.pk}/file/")
    page.set_input_files("#upload", file)
    page.get_by_role("button", name="Lire le fichier").click()
    page.wait_for_url("**/sources/**")
    engine.execute(Run.objects.get().pk)
    faults = []
    paths = [
        f"/runs/{Run.objects.get().pk}/",
        "/connections/", "/connections/sources/add/", "/connections/sources/add/csv_upload/", "/connections/sources/add/http_json/",
        f"/connections/sources/{table.pk}/", f"/connections/sources/{hook.pk}/", f"/connections/{table.pk}/file/",
        f"/connections/{hook.pk}/webhook/", f"/datasets/{pipeline.pk}/", f"/datasets/{pipeline.pk}/?q=nowhere",
        f"/datasets/{pipeline.pk}/empty/",
    ]  # fmt: skip
    for path in paths:
        faults += look_at(page, axe, live_server.url + path, looks=TWO_LOOKS)
    assert faults == []
