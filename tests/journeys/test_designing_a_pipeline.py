"""From a feed to the board, in a real browser: a designer designs, an executor runs and may not edit, a viewer looks on."""

import pytest
from playwright.sync_api import expect

from integrations import engine
from integrations.models import Pipeline, Run
from tests.accounts.people import make_user
from tests.integrations.conftest import feed  # noqa: F401  a fixture
from tests.pages.look import TWO_LOOKS, look_at

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
SECRET = "s3cret-Value"


def enquiry(number: int, **more) -> dict:
    return {"ref": f"E-{number}", "client": f"Maison {number}", "about": f"Wedding {number}", "open": number != 2,
            "who": {"name": f"Léa {number}", "mail": f"lea{number}@client.example"}} | more  # fmt: skip


@pytest.fixture
def enquiries(feed):  # noqa: F811
    feed.pages["/enquiries?page=1"] = {"items": [enquiry(1), enquiry(2), enquiry(3)]}
    feed.pages["/enquiries?page=2"] = {"items": [enquiry(4)]}
    feed.pages["/enquiries?page=3"] = {"items": []}
    return feed


def connect(page, console, feed) -> None:  # noqa: F811
    page.goto(console + "/integrations/connection/add/")
    page.get_by_label("Provider").select_option("http_json")
    page.get_by_role("button", name="Add").click()
    page.get_by_label("Name", exact=True).fill("Enquiries of the portal")
    page.get_by_label("Address").fill(feed.url + "/enquiries")
    page.get_by_label("Where the list is").fill("items")
    page.get_by_label("What names a record").fill("ref")
    page.get_by_label("How we identify ourselves").select_option("header")
    page.get_by_label("Name of that header").fill("X-Api-Key")
    page.get_by_label("Secret").fill(SECRET)
    page.get_by_label("More pages").select_option("number")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#content")).to_contain_text("Connected")


def write_steps(page, console, feed) -> None:  # noqa: F811
    """By keyboard where it matters: a step is added, moved, corrected after a fault, and tried on the real feed."""
    page.goto(console + "/integrations/transformation/add/")
    page.get_by_role("link", name="For records").click()
    page.get_by_label("Name", exact=True).fill("Enquiries to the board")
    for row, (name, place) in enumerate([("company", "client"), ("role", "about"), ("contact_name", "who.name")], 1):
        page.get_by_label(f"Name, row {row}").fill(name)
        page.get_by_label(f"Where it is found, row {row}").fill(place)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#step-1")).to_be_focused()  # where somebody who sees nothing goes on
    page.get_by_label("Go on when").fill("open &&")
    page.get_by_role("button", name="Save", exact=True).click()
    fault = page.get_by_role("alert").get_by_role("link", name="Step 1 (Keep only some)")
    fault.press("Enter")
    page.get_by_label("Go on when").fill("open")
    page.get_by_label("Name, row 4").fill("contact_email")
    page.get_by_label("Where it is found, row 4").fill("who.mail")
    page.get_by_label("Another step").select_option("normalise")
    page.get_by_role("button", name="Add", exact=True).press("Enter")
    page.locator("#step-3").get_by_label("Name, row 1").fill("contact_email")
    page.get_by_label("How it is written, row 1").select_option("email")
    page.get_by_role("button", name="Fetch").press("Enter")
    results = page.locator(".console-trial")
    expect(results).to_have_count(4)
    expect(results.nth(1)).to_contain_text("“open” finds nothing here: false")
    expect(results.first).to_contain_text('"company": "Maison 1"')
    assert feed.asked[-1][1]["X-Api-Key"] == SECRET
    page.get_by_label("What has changed").fill("The first")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("Saved as version 1.")


def join(page, console) -> None:
    page.goto(console + "/integrations/pipeline/add/")
    page.get_by_label("Name", exact=False).first.fill("Portal to my board")
    page.locator("#id_connection").select_option(label="JSON over https Enquiries of the portal")
    page.locator("#id_transformation").select_option(label="Enquiries to the board v1")
    page.locator("#id_destination").select_option("opportunities")
    page.locator("#id_recipient").select_option(label="Dominique")
    page.locator("#id_rhythm").select_option(label="Every 6 hours")
    expect(page.locator("#schedule-told")).to_contain_text("Every 6 hours, from 00:00 UTC on.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_be_visible()


def test_a_feed_comes_onto_the_board(page, axe, live_server, login, enquiries):
    console = live_server.url + "/admin"
    designer, executor = make_user(role="designer", name="Dominique"), make_user(role="executor")
    login(designer)
    connect(page, console, enquiries)
    write_steps(page, console, enquiries)
    join(page, console)
    pipeline = Pipeline.objects.get()
    page.goto(f"{console}/integrations/pipeline/{pipeline.pk}/change/")
    page.get_by_role("link", name="Dry run").click()
    page.get_by_role("button", name="Dry run").click()
    tiles = page.locator(".kpi")
    expect(tiles.nth(0)).to_contain_text("4")
    expect(tiles.nth(2)).to_contain_text("3")
    assert not Run.objects.exists() and not designer.opportunities.exists()

    login(executor)
    page.goto(console + "/integrations/at-work/")
    page.get_by_role("link", name="Run now Portal to my board").click()
    page.get_by_role("button", name="Run now").click()
    expect(page.locator("#content")).to_contain_text("Waiting")
    engine.execute(Run.objects.get().pk)  # the worker
    page.reload()
    expect(page.locator("#content")).to_contain_text("kept: 3")
    refused = page.goto(f"{console}/integrations/pipeline/{pipeline.pk}/change/")
    assert refused.status == 403
    refused = page.goto(f"{console}/integrations/transformation/{pipeline.transformation_id}/change/")
    assert refused.status == 403
    page.problems.clear()  # the browser says of a 403 what we expect

    login(make_user(role="viewer"))
    faults = []
    for path in (f"pipeline/{pipeline.pk}/change/", f"transformation/{pipeline.transformation_id}/change/"):
        faults += look_at(page, axe, f"{console}/integrations/{path}", looks=TWO_LOOKS, preload=False)
        expect(page.locator("#content")).not_to_contain_text("Run now")
        assert page.locator("#content input[type=submit], #content button[name=act]").count() == 0
    assert faults == []

    login(designer)
    page.goto(live_server.url + "/opportunities/")
    for words in ("Maison 1", "Maison 3", "Maison 4"):
        expect(page.get_by_role("main")).to_contain_text(words)
    expect(page.get_by_role("main")).not_to_contain_text("Maison 2")


def test_the_pages_of_designing_are_sound_in_french(page, axe, live_server, login, enquiries):
    console = live_server.url + "/admin/integrations"
    designer = make_user(role="designer", name="Dominique", language="fr")
    login(designer)
    faults = []
    for path in ("/transformation/add/?chain=records", "/transformation/add/?chain=mail", "/pipeline/add/"):
        faults += look_at(page, axe, console + path, looks=TWO_LOOKS, preload=False)
    login(make_user(role="executor", language="fr"))
    faults += look_at(page, axe, console + "/at-work/", looks=TWO_LOOKS, preload=False)
    assert faults == []
    page.get_by_text("L’instance n’a pas encore de pipeline").wait_for()
