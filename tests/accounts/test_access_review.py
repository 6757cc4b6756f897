"""The access matrix as a page, and the quarterly review of who has what (R-083, R-090)."""

from datetime import date, timedelta

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from accounts.protections import Refused
from accounts.roles import Role
from accounts.services import api_keys
from audit.models import Activity
from operations import access_matrix
from operations.models import AccessReview, AccessReviewEntry
from operations.services import access_reviews
from tests.accounts.people import make_user, step_up
from tests.accounts.test_roles import MATRIX, STAFF_ROLES

pytestmark = pytest.mark.django_db
REVIEWS = "/admin/operations/accessreview/"
MATRIX_PAGE = "/admin/operations/access-matrix/"


def browser(role: str) -> Client:
    client, user = Client(), make_user(role=role)
    client.force_login(user)
    step_up(client, user)
    return client


def test_the_page_of_the_matrix_says_what_is_written_down():
    """Cell by cell: "ro" where a role only reads, the star where a developer may not touch administrators."""
    groups = {str(group.name): group for group in access_matrix.matrix()}
    pages = dict(zip(MATRIX["navigation"], groups["Pages"].rows, strict=True))
    for page, row in MATRIX["navigation"].items():
        words = {True: "yes", False: "no", "ro": "ro", "yes*": "star"}
        assert pages[page].cells == [words[row[role]] for role in STAFF_ROLES], page
    for area, operations in MATRIX["resources"].items():
        rows = groups[str(access_matrix.AREAS[area])].rows
        for (operation, cells), row in zip(operations.items(), rows, strict=True):
            for role, found in zip(STAFF_ROLES, row.cells, strict=True):
                denied = cells[role] is False or (cells.get("note") == "dev_reset" and role == "developer")
                assert (found == "no") is denied, (area, operation, role)


@pytest.mark.parametrize("role", Role.values)
def test_who_reads_the_matrix_and_the_reviews(role):
    status = 200 if role in {"admin", "developer", "executive"} else 403
    client = browser(role)
    assert client.get(MATRIX_PAGE).status_code == client.get(REVIEWS).status_code == status


def test_the_matrix_counts_who_holds_a_role():
    make_user(role="designer")
    make_user(role="designer", is_active=False)
    assert ("Designer", 1) in [(str(role), count) for role, count in access_matrix.holders()]


def test_quarters():
    assert [access_reviews.quarter_of(date(2031, month, 28)) for month in (1, 3, 4, 9, 10, 12)] == [
        "2031-Q1", "2031-Q1", "2031-Q2", "2031-Q3", "2031-Q4", "2031-Q4"
    ]  # fmt: skip


def test_a_review_takes_down_what_everybody_has_at_that_moment():
    admin, coach, gone = make_user(role="admin"), make_user(role="coach"), make_user(role="viewer", is_active=False)
    make_user()
    api_keys.create(coach, name="Machine", scopes=["read"], days=30)
    old, _raw, _secret = api_keys.create(coach, name="Old", scopes=["read"], days=30)
    api_keys.revoke(old, actor=coach)
    review = access_reviews.open_review(admin)
    lines = {entry.user_id: entry for entry in review.entries.all()}
    assert set(lines) == {admin.pk, coach.pk, gone.pk}  # members have nothing to review
    assert (lines[admin.pk].second_factor, lines[coach.pk].second_factor, lines[coach.pk].open_keys) == (True, False, 1)
    assert not lines[gone.pk].is_active
    coach.role = "member"
    coach.save(update_fields=["role"])
    assert access_reviews.open_review(admin).pk == review.pk and AccessReviewEntry.objects.get(user=coach).role == "coach"


def test_a_review_is_opened_decided_signed_and_exported_on_the_console():
    make_user(role="viewer", email="=HYPERLINK(1)@example.test")
    client = browser("admin")
    assert "is not signed off yet" in client.get("/console/figures").content.decode()
    page = client.post(f"{REVIEWS}open/").url
    review = AccessReview.objects.get()
    sign = f"{REVIEWS}{review.pk}/sign/"
    assert client.post(sign, {"note": "Looked at"}).status_code == 200  # undecided
    client.post(page, {str(entry.pk): "keep" for entry in review.entries.all()})
    assert client.post(sign, {"note": "Looked at"}).status_code == 302
    review.refresh_from_db()
    assert review.signed_at and review.note == "Looked at"
    assert "is not signed off yet" not in client.get("/console/figures").content.decode()
    client.post(page, {str(entry.pk): "change" for entry in review.entries.all()})
    assert not review.entries.filter(decision="change").exists()  # what is signed stays
    text = b"".join(client.get(f"{REVIEWS}{review.pk}/export/").streaming_content).decode()
    assert '"\'=HYPERLINK(1)@example.test"' in text and '"keep"' in text
    actions = set(Activity.objects.filter(action__startswith="access_review.").values_list("action", flat=True))
    assert actions == {"access_review.opened", "access_review.decided", "access_review.signed", "access_review.exported"}


@pytest.mark.parametrize("role", ["developer", "executive"])
def test_others_read_a_review_and_write_nothing(role):
    review = access_reviews.open_review(make_user(role="admin"))
    entry, client = review.entries.get(), browser(role)
    page = client.get(f"{REVIEWS}{review.pk}/change/")
    assert page.status_code == 200 and "<select" not in page.content.decode() and "Sign off" not in page.content.decode()
    for path, form in (
        (f"{REVIEWS}{review.pk}/change/", {str(entry.pk): "keep"}),
        (f"{REVIEWS}{review.pk}/sign/", {}),
        (f"{REVIEWS}open/", {}),
    ):
        assert client.post(path, form).status_code == 403, path
    entry.refresh_from_db()
    assert entry.decision == ""


def test_signing_asks_for_a_fresh_proof_and_the_services_for_an_administrator():
    admin = make_user(role="admin")
    review = access_reviews.open_review(admin)
    client = Client()
    client.force_login(admin)
    assert "reauthenticate" in client.get(f"{REVIEWS}{review.pk}/sign/").url
    developer = make_user(role="developer")
    for act in (
        lambda: access_reviews.open_review(developer),
        lambda: access_reviews.decide(review, {}, actor=developer),
        lambda: access_reviews.sign(review, note="", actor=developer),
    ):
        with pytest.raises(Refused):
            act()
    with pytest.raises(ValidationError):
        access_reviews.decide(review, {review.entries.get().pk: "promote"}, actor=admin)


def test_the_next_quarter_asks_again():
    admin = make_user(role="admin")
    review = access_reviews.open_review(admin)
    access_reviews.decide(review, {entry.pk: "keep" for entry in review.entries.all()}, actor=admin)
    access_reviews.sign(review, note="", actor=admin)
    assert not access_reviews.is_due()
    with time_machine.travel(timezone.now() + timedelta(days=100)):
        assert access_reviews.is_due()
