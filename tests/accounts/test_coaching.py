"""Coaches: appointed by staff, accepted by the client, ended at once by either (R-091, R-092; DESIGN, decision 10)."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from django.utils import timezone

from accounts.models import CoachLink, User
from accounts.roles import Role
from accounts.services import coaching
from audit.models import Activity
from tests.accounts.people import make_user
from tests.accounts.studios import browser_of

pytestmark = pytest.mark.django_db
COACHES = reverse("settings_coaches")


@pytest.fixture
def admin():
    return make_user(role="admin")


@pytest.fixture
def coach():
    return make_user(role="coach", name="Karim Haddad")


@pytest.fixture
def lena():
    return make_user(name="Lena Roux", email="lena@example.test")


@pytest.fixture
def link(admin, coach, lena):
    return coaching.appoint(admin, coach, lena)


def detail(link: CoachLink) -> str:
    return reverse("settings_coach", args=[link.pk])


# --- appointing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role.values)
def test_only_staff_who_manage_users_appoint(coach, lena, role):
    actor = make_user(role=role)
    if role in {"admin", "developer"}:
        assert coaching.appoint(actor, coach, lena).accepted_at is None
    else:
        with pytest.raises(PermissionDenied):
            coaching.appoint(actor, coach, lena)
    assert CoachLink.objects.count() == (role in {"admin", "developer"})


def test_the_client_is_told_and_nothing_is_in_force_yet(admin, coach, lena, link):
    message = mail.outbox[0]
    assert message.to == [lena.email] and "Karim Haddad" in message.subject and detail(link) in message.body
    assert not CoachLink.objects.in_force().exists()
    row = Activity.objects.get(action="coach.appointed")
    assert row.details == {"coach_id": str(coach.pk), "client_id": str(lena.pk)} and row.actor_id == admin.pk


def test_nobody_coaches_themselves_or_staff_or_without_the_role(admin, coach, lena):
    wrong = [(coach, coach), (lena, coach), (coach, make_user(role="viewer")), (coach, admin), (make_user(role="executive"), lena)]
    wrong += [(coach, make_user(is_active=False)), (make_user(role="coach", is_active=False), lena)]
    for one, other in wrong:
        with pytest.raises(ValidationError):
            coaching.appoint(admin, one, other)
    assert not CoachLink.objects.exists()


def test_a_pair_has_one_open_link_and_a_new_one_after_the_last_has_ended(admin, coach, lena, link):
    with pytest.raises(ValidationError, match="already"):
        coaching.appoint(admin, coach, lena)
    coaching.accept(link, shows_subjects=False, ends_at=timezone.now() + timedelta(days=1), actor=lena)
    with time_machine.travel(timezone.now() + timedelta(days=2), tick=True):
        second = coaching.appoint(admin, coach, lena)
        link.refresh_from_db()
        assert link.end_date == link.ends_at and second.state == "waiting"
    assert CoachLink.objects.count() == 2


# --- the client's answer -------------------------------------------------------------------------------------------------


def test_the_client_accepts_for_half_a_year_without_subjects_unless_they_choose_otherwise(coach, lena, link):
    browser = browser_of(lena)
    assert "waits for you" in browser.get(COACHES).content.decode()
    page = browser.get(detail(link))
    until = page.context["form"].initial["ends_on"]
    today = timezone.localdate(timezone=ZoneInfo(lena.timezone))
    assert until == today + timedelta(days=183) and not page.context["form"].initial["shows_subjects"]
    assert "Never: your contacts" in page.content.decode()
    browser.post(detail(link), {"ends_on": until.isoformat()})
    link.refresh_from_db()
    assert link.state == "in_force" and not link.shows_subjects
    assert timezone.localdate(link.ends_at, timezone.zoneinfo.ZoneInfo("Europe/Paris")) == until
    assert Activity.objects.get(action="coach.accepted").actor_id == lena.pk


def test_the_scope_is_changed_later_and_that_is_on_record(lena, link):
    browser = browser_of(lena)
    browser.post(detail(link), {})
    browser.post(detail(link), {"shows_subjects": "on", "ends_on": ""})
    link.refresh_from_db()
    assert (link.shows_subjects, link.ends_at) == (True, None)
    assert Activity.objects.get(action="coach.scope_changed").details["shows_subjects"] is True


@pytest.mark.parametrize("day", ["2001-01-01", "2126-01-01", "tomorrow"])
def test_an_end_that_is_past_or_absurd_is_refused(lena, link, day):
    assert browser_of(lena).post(detail(link), {"ends_on": day}).status_code == 200
    link.refresh_from_db()
    assert link.accepted_at is None


def test_what_the_form_does_not_ask_for_is_not_changed(coach, lena, link):
    other = make_user(role="coach")
    forged = {
        "coach": other.pk,
        "client": other.pk,
        "appointed_by": lena.pk,
        "end_date": "",
        "accepted_at": "2001-01-01",
        "ended_by": other.pk,
    }
    browser_of(lena).post(detail(link), forged)
    link.refresh_from_db()
    assert (link.coach_id, link.client_id, link.ended_by_id) == (coach.pk, lena.pk, None) and link.accepted_at.year > 2001


def test_the_client_declines_and_the_row_is_kept(lena, link):
    browser_of(lena).post(reverse("settings_coach_end", args=[link.pk]))
    link.refresh_from_db()
    assert (link.state, link.ended_by_id) == ("ended", lena.pk) and Activity.objects.filter(action="coach.declined").count() == 1
    page = browser_of(lena).post(detail(link), {}, follow=True).content.decode()
    assert "ended already" in page
    link.refresh_from_db()
    assert link.accepted_at is None


def test_the_client_ends_it_and_sees_that_it_has_ended(lena, link):
    coaching.accept(link, shows_subjects=True, ends_at=None, actor=lena)
    browser = browser_of(lena)
    page = browser.post(reverse("settings_coach_end", args=[link.pk]), follow=True).content.decode()
    assert "sees nothing of you any more" in page and not CoachLink.objects.in_force().exists()
    assert "ended already" in browser.post(reverse("settings_coach_end", args=[link.pk]), follow=True).content.decode()
    assert Activity.objects.filter(action="coach.ended").count() == 1


def test_staff_and_the_coach_may_end_it_and_nobody_else(admin, coach, lena, link):
    for user in (make_user(), make_user(role="coach"), make_user(role="executive")):
        with pytest.raises(PermissionDenied):
            coaching.end(link, actor=user)
        with pytest.raises(PermissionDenied):
            coaching.accept(link, shows_subjects=True, ends_at=None, actor=user)
    with pytest.raises(PermissionDenied):
        coaching.accept(link, shows_subjects=True, ends_at=None, actor=coach)
    assert coaching.end(link, actor=coach).ended_by_id == coach.pk
    second = coaching.appoint(admin, coach, lena)
    assert coaching.end(second, actor=admin).ended_by_id == admin.pk


def test_a_link_is_404_for_everybody_but_its_client(admin, coach, link):
    for user in (coach, admin, make_user(), make_user(role="coach")):
        browser = browser_of(user)
        end = reverse("settings_coach_end", args=[link.pk])
        if user is not admin:  # who is led to set up a second factor first
            assert [browser.get(detail(link)).status_code, browser.post(detail(link), {}).status_code, browser.post(end).status_code] == [
                404
            ] * 3
        assert {getattr(browser, verb)(url).status_code for verb in ("put", "patch", "delete") for url in (detail(link), end)} <= {
            302,
            404,
            405,
        }
    link.refresh_from_db()
    assert (link.accepted_at, link.end_date) == (None, None)


def test_the_clients_pages_ask_as_often_for_many_links_as_for_few(admin, lena, link, django_assert_max_num_queries):
    browser = browser_of(lena)
    browser.get(COACHES)
    with django_assert_max_num_queries(8) as few:
        browser.get(COACHES)
    for _ in range(6):
        coaching.appoint(admin, make_user(role="coach"), lena)
    with django_assert_max_num_queries(len(few.captured_queries)):
        browser.get(COACHES)


def test_somebody_without_a_coach_is_told_what_it_is_about():
    assert "Nobody follows your opportunities" in browser_of(make_user()).get(COACHES).content.decode()


def test_a_client_who_is_gone_takes_their_links_along(lena, link):
    User.objects.filter(pk=lena.pk).delete()
    assert not CoachLink.objects.exists()
