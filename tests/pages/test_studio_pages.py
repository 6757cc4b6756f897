"""The pages of studios, invitations and coaching in a browser: sound in every look, and walked through as people do."""

from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import CoachLink, Invitation, Membership, User
from accounts.services import coaching, invitations
from tests.accounts.people import PASSWORD, make_user
from tests.accounts.studios import Role, link_in, make_studio, place
from tests.pages.look import LANGUAGES, look_at, speak
from tests.tracker.boards import fill_board, make_opportunity

pytestmark = pytest.mark.django_db(transaction=True)
LONG = "a-rather-long-address-for-a-small-screen@photographers.example.test"


@pytest.fixture
def morel(transactional_db):
    return make_studio("Atelier Morel et associés, photographes", anna="owner", ben="manager", cleo="assistant", dora="accountant")


@pytest.fixture
def full(morel) -> list[str]:
    """A studio with people, open and expired invitations, and somebody invited elsewhere; the paths of its pages."""
    studio, people = morel
    for email in ("nina@example.test", LONG):
        invitations.invite(studio, email=email, role=Role.ASSISTANT, actor=people["ben"])
    Invitation.objects.filter(email=LONG).update(expires_at=timezone.now() - timedelta(days=1))
    elsewhere, others = make_studio("Halden", eva="owner")
    invitations.invite(elsewhere, email=people["anna"].email, role=Role.ACCOUNTANT, actor=others["eva"])
    row = place(studio, people["cleo"])
    return [
        reverse("settings_studio"),
        reverse("settings_studio_leave"),
        reverse("settings_member_remove", args=[row.pk]),
        reverse("settings_coaches"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_studio_pages_are_sound_in_every_look(page, axe, live_server, login, morel, full, language):
    anna = morel[1]["anna"]
    User.objects.filter(pk=anna.pk).update(language=language)
    anna.refresh_from_db()
    login(anna)
    assert [fault for path in full for fault in look_at(page, axe, live_server.url + path)] == []


@pytest.fixture
def links(transactional_db) -> tuple[User, list[CoachLink]]:
    """A client with a coach in force who has looked, one that waits and one that ended."""
    lena, admin = make_user(name="Lena Roux"), make_user(role="admin")
    made = [coaching.appoint(admin, make_user(role="coach", name=name), lena) for name in ("Karim Haddad", "Zoé Martin", "Paul Blanc")]
    coaching.accept(made[0], shows_subjects=True, ends_at=timezone.now() + timedelta(days=90), actor=lena)
    for what in ("counts", "opportunities", "subjects") * 12:
        coaching.record_seen([made[0]], coach=made[0].coach, what=what)
    coaching.end(made[2], actor=lena)
    return lena, made


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_coaching_pages_are_sound_in_every_look(page, axe, live_server, login, links, language):
    lena, made = links
    User.objects.all().update(language=language)
    fill_board(lena, 60)
    make_opportunity(lena, role="A wedding in a rather long-named place near Saint-Rémy-lès-Chevreuse", company="Atelier Faure")
    login(User.objects.get(pk=lena.pk))
    paths = [reverse("settings_coaches"), *(reverse("settings_coach", args=[link.pk]) for link in made)]
    assert [fault for path in paths for fault in look_at(page, axe, live_server.url + path)] == []
    login(User.objects.get(pk=made[0].coach_id))
    client = reverse("tracker:coach_client", args=[lena.pk])
    paths = [reverse("tracker:coach_clients"), client, client + "?stage=meeting"]
    assert [fault for path in paths for fault in look_at(page, axe, live_server.url + path)] == []


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_empty_pages_are_sound_in_every_look(page, axe, live_server, login, transactional_db, language):
    coach = make_user(role="coach", language=language)
    login(coach)
    faults = look_at(page, axe, live_server.url + reverse("tracker:coach_clients") + "?empty")
    lena = make_user(language=language)
    link = coaching.appoint(make_user(role="admin"), coach, lena)
    faults += look_at(page, axe, live_server.url + reverse("tracker:coach_clients") + "?waiting")
    coaching.accept(link, shows_subjects=False, ends_at=None, actor=lena)
    faults += look_at(page, axe, live_server.url + reverse("tracker:coach_client", args=[lena.pk]))
    login(make_user(language=language))
    faults += look_at(page, axe, live_server.url + reverse("settings_coaches") + "?empty")
    faults += look_at(page, axe, live_server.url + reverse("settings_studio") + "?alone")
    assert faults == []


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_landing_of_an_invitation_is_sound_in_every_look(page, axe, live_server, login, morel, language):
    studio, people = morel
    speak(page, live_server.url, language)
    page.goto(live_server.url + "/accounts/login/")
    invitations.invite(studio, email=LONG, role=Role.ASSISTANT, actor=people["anna"])
    page.goto(live_server.url + link_in(mail.outbox[-1].body))
    landing = live_server.url + reverse("invitation")
    assert page.url == landing
    faults = look_at(page, axe, landing + "?stranger")
    login(make_user(email="somebody-else@example.test", language=language))
    page.goto(live_server.url + link_in(mail.outbox[-1].body))
    faults += look_at(page, axe, landing + "?other")
    login(make_user(email=LONG, language=language))
    page.goto(live_server.url + link_in(mail.outbox[-1].body))
    faults += look_at(page, axe, landing + "?invited")
    page.get_by_role("button", name="Accept" if language == "en" else "Accepter").click()
    expect(page.get_by_role("status")).to_contain_text(studio.name)
    faults += look_at(page, axe, landing + "?gone", status=404)
    page.problems[:] = [problem for problem in page.problems if "404" not in problem[1]]  # the browser's own line about the status
    assert faults == []


def test_a_colleague_is_invited_signs_up_accepts_and_is_removed(page, live_server, login, morel, browser):
    people = morel[1]
    login(people["anna"])
    page.goto(live_server.url + reverse("settings_studio"))
    page.get_by_label("Their e-mail address").fill("nina@example.test")
    page.get_by_label("Role in the studio").select_option("accountant")
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_role("status")).to_contain_text("nina@example.test")

    nina = browser.new_context().new_page()
    nina.goto(live_server.url + link_in(mail.outbox[-1].body))
    nina.get_by_role("link", name="Create an account").click()
    expect(nina.get_by_label("E-mail")).to_have_value("nina@example.test")
    nina.get_by_label("Your name").fill("Nina Bell")
    nina.get_by_label("Password", exact=True).fill(PASSWORD)
    nina.get_by_role("button", name="Create my account").click()
    nina.get_by_role("button", name="Accept").click()
    expect(nina.get_by_role("status")).to_contain_text("Welcome to Atelier Morel")
    expect(nina.get_by_label("Studio name")).to_have_count(0)

    page.goto(live_server.url + reverse("settings_studio"))
    page.locator("summary", has_text="Nina Bell").click()
    page.get_by_role("link", name="Remove from the studio").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status")).to_contain_text("Nina Bell no longer belongs")
    nina.reload()
    expect(nina.get_by_role("main")).not_to_contain_text("Atelier Morel")
    nina.context.close()


def test_on_a_phone_the_menu_of_a_colleague_stays_on_the_page(page, live_server, login, morel):
    studio, people = morel
    login(people["anna"])
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(live_server.url + reverse("settings_studio"))
    page.locator("summary", has_text="Cleo").click()
    choice = page.get_by_role("button", name="Role: Accountant")
    expect(choice).to_be_visible()
    box = choice.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    choice.click()
    expect(page.locator("#messages")).to_contain_text("Cleo: Accountant from now on.")
    assert place(studio, people["cleo"]).role == Role.ACCOUNTANT


def test_the_studio_is_switched_from_any_page(page, live_server, login, morel):
    studio, people = morel
    own = Membership.objects.get(user=people["cleo"], role=Role.OWNER).organization
    login(people["cleo"])
    page.goto(live_server.url + reverse("settings_profile"))
    page.locator("summary", has_text=studio.name).click()
    page.get_by_role("button", name=own.name).click()
    expect(page.locator("#messages")).to_contain_text(own.name)
    expect(page.locator(".studio-switch summary")).to_contain_text(own.name)
    assert User.objects.get(pk=people["cleo"].pk).organization_id == own.pk


def test_a_client_accepts_a_coach_and_ends_it(page, live_server, login, transactional_db):
    lena, coach = make_user(name="Lena Roux"), make_user(role="coach", name="Karim Haddad")
    make_opportunity(lena, company="Orchard Labs", role="Photographer")
    coaching.appoint(make_user(role="admin"), coach, lena)
    login(lena)
    page.goto(live_server.url + reverse("settings_coaches"))
    page.get_by_role("link", name="Look and decide").click()
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("status")).to_contain_text("Karim Haddad can follow")
    login(coach)
    page.goto(live_server.url + "/settings/profile/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Clients").click()
    page.get_by_role("link", name="Lena Roux").click()
    expect(page.get_by_role("cell", name="Photographer · Orchard Labs")).to_be_visible()
    login(lena)
    page.goto(live_server.url + reverse("settings_coaches"))
    page.get_by_role("link", name="Details").click()
    expect(page.get_by_text("Your opportunities, without subjects and senders")).to_be_visible()
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_role("status")).to_contain_text("sees nothing of you any more")
