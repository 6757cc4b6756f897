"""Connecting Gmail, from the explanation to the stored grant, and back (R-003 … R-008, R-064 … R-072, R-078)."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.db import connection as database
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Consent, InstanceSettings
from audit.models import Activity
from integrations import engine, google_oauth
from integrations.errors import OAuthUnavailable
from integrations.models import Connection, Run
from sandbox.id_tokens import DEFECTS
from tests.accounts.people import make_user
from tests.integrations.journey import decide

pytestmark = pytest.mark.django_db
CONNECT = "/connections/gmail/connect/"
CALLBACK = "/connections/google/callback/"


def asked(web: Client) -> dict[str, str]:
    """The parameters our button sends to Google."""
    location = web.post(CONNECT)["Location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def actions() -> set[str]:
    return set(Activity.objects.values_list("action", flat=True))


def requests_to(sandbox, api: str) -> int:
    return sandbox.control("GET", "/requests")["counts"].get(api, 0)


def test_the_page_explains_before_it_asks(web, sandbox):
    page = web.get(CONNECT).content.decode()
    for words in ("What we read", "What we keep", "nothing is kept but a count", reverse("site:privacy"), "03:00 and 15:00 UTC"):
        assert words in page
    assert requests_to(sandbox, "oauth.authorize") == 0


def test_the_grant_asks_for_reading_mail_and_nothing_else(web, sandbox):
    query = asked(web)
    assert set(query["scope"].split()) == {"openid", "email", google_oauth.GMAIL_READONLY}
    assert query["access_type"] == "offline" and query["prompt"] == "consent"
    assert query["code_challenge_method"] == "S256" and len(query["code_challenge"]) == 43
    assert len(query["state"]) >= 32 and len(query["nonce"]) >= 32 and "include_granted_scopes" not in query
    assert asked(web)["state"] != query["state"]


def test_connecting_keeps_a_sealed_grant_a_consent_and_starts_the_first_read(web, sandbox, member, connect):
    row = connect()
    assert row.status == "active" and row.account_email == "camille@example.test" and row.renewable
    assert google_oauth.GMAIL_READONLY in row.granted_scopes and row.expires_at
    consent = Consent.objects.get(user=member)
    assert (consent.purpose, consent.text_version) == ("gmail.read", "2026-11") and google_oauth.GMAIL_READONLY in consent.scopes
    run = Run.objects.get()
    assert (run.status, run.trigger, run.requested_by) == ("queued", "connected", member)
    assert run.pipeline.name == "Gmail → opportunities" and run.pipeline.next_run_at.hour in (3, 15)
    assert {"connection.connected", "consent.granted", "run.queued"} <= actions()


def test_the_tokens_stand_sealed_in_the_database_and_open_for_their_row_only(sandbox, connect):
    row = connect()
    access, refresh = row.access_token, row.refresh_token
    assert access and refresh and access != refresh
    with database.cursor() as cursor:
        cursor.execute("SELECT access_token, refresh_token FROM integrations_connection")
        stored = b"".join(bytes(value) for value in cursor.fetchone())
    assert access.encode() not in stored and refresh.encode() not in stored
    assert access not in repr(row) + str(row) and access not in str(list(Connection.objects.values()))


def test_no_activity_record_holds_a_token(sandbox, connect):
    row = connect()
    text = " ".join(Activity.objects.values_list("canonical", flat=True))
    assert row.access_token not in text and row.refresh_token not in text and row.account_email not in text


def test_saying_no_connects_nothing_and_says_so(web, sandbox, member):
    response = decide(sandbox, web, deny=True)
    assert response.status_code == 302 and not Connection.objects.exists() and not Consent.objects.exists()
    assert "You did not give permission" in web.get(response["Location"]).content.decode()
    assert "connection.denied" in actions()


def test_leaving_the_box_unticked_connects_nothing_and_explains(web, sandbox):
    response = decide(sandbox, web, scopes=[])
    assert response["Location"] == CONNECT and not Connection.objects.exists()
    assert "leave the box ticked" in web.get(CONNECT).content.decode()
    assert requests_to(sandbox, "oauth.revoke") == 1


@pytest.mark.parametrize("state", ["", "made-up", None])
def test_an_answer_without_our_state_is_refused(web, sandbox, state):
    asked(web)
    response = web.get(CALLBACK, {"code": "4/x", **({} if state is None else {"state": state})})
    assert response.status_code == 400 and not Connection.objects.exists()
    assert "oauth.state_refused" in actions() and requests_to(sandbox, "oauth.token.authorization_code") == 0


def test_an_answer_serves_once(web, sandbox):
    back = sandbox.control("POST", "/authorize", {"url": web.post(CONNECT)["Location"]})["redirect"]
    query = urlsplit(back).query
    assert web.get(f"{CALLBACK}?{query}").status_code == 302
    assert web.get(f"{CALLBACK}?{query}").status_code == 400
    assert Connection.objects.count() == 1


def test_an_answer_to_another_browser_is_refused(web, sandbox, member):
    other = Client()
    other.force_login(member)
    back = sandbox.control("POST", "/authorize", {"url": web.post(CONNECT)["Location"]})["redirect"]
    assert other.get(f"{CALLBACK}?{urlsplit(back).query}").status_code == 400
    assert not Connection.objects.exists()


def test_an_answer_that_names_another_issuer_is_refused(web, sandbox):
    query = asked(web)
    assert web.get(CALLBACK, {"code": "4/x", "state": query["state"], "iss": "https://evil.example"}).status_code == 400


def test_an_old_answer_is_refused(web, sandbox, time_machine):
    query = asked(web)
    time_machine.move_to(timezone.now() + timedelta(minutes=11))
    assert web.get(CALLBACK, {"code": "4/x", "state": query["state"]}).status_code == 400


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defective_id_token_connects_nothing(web, sandbox, defect):
    sandbox.control("POST", "/id-token", {"defect": defect})
    assert decide(sandbox, web).status_code == 400
    assert not Connection.objects.exists() and not Consent.objects.exists()
    assert "oauth.state_refused" in actions()


def test_keys_that_google_has_just_changed_are_fetched_anew(web, sandbox, connect):
    connect()
    sandbox.control("POST", "/keys/rotate")
    assert connect().status == "active"


def test_a_google_that_does_not_answer_is_said_so(web, sandbox):
    sandbox.control("POST", "/faults", {"status": 503, "path": "/token"})
    response = decide(sandbox, web)
    assert "Google did not answer" in web.get(response["Location"]).content.decode()
    assert not Connection.objects.exists()


def test_reconnecting_with_another_account_is_refused_and_leaves_both_alone(web, sandbox, connect):
    row = connect()
    sandbox.control("POST", "/accounts", {"email": "atelier@example.test"})
    response = decide(sandbox, web, form={"again": str(row.pk)}, email="atelier@example.test")
    assert "another Google account" in web.get(response["Location"]).content.decode()
    assert Connection.objects.get() == row and Connection.objects.get().account_email == "camille@example.test"


def test_one_person_may_connect_two_mailboxes(sandbox, connect):
    sandbox.control("POST", "/accounts", {"email": "atelier@example.test"})
    connect()
    connect(email="atelier@example.test")
    assert Connection.objects.count() == 2


def test_connecting_again_renews_the_same_connection_and_its_cursor(sandbox, connect):
    row = connect()
    pipeline = row.pipelines.get()
    pipeline.cursor = {"seen_until": 5}
    pipeline.save()
    again = connect()
    assert again == row and again.pipelines.get().cursor == {"seen_until": 5}


def test_two_people_on_one_google_account_stay_apart(web, sandbox, connect, member):
    mine = connect()
    other, other_web = make_user(), Client()
    other_web.force_login(other)
    decide(sandbox, other_web)
    theirs = Connection.objects.get(owner=other)
    assert theirs != mine and theirs.provider_subject == mine.provider_subject
    web.post(reverse("integrations:disconnect", args=[mine.pk]))
    theirs.refresh_from_db()
    assert theirs.status == "active" and requests_to(sandbox, "oauth.revoke") == 0
    assert theirs.account_email not in str(web.get(reverse("integrations:run_list")).context["rows"])


def test_a_stranger_finds_no_connection_and_no_run(sandbox, connect):
    row, run = connect(), Run.objects.get()
    stranger = Client()
    stranger.force_login(make_user())
    for path in (
        reverse("integrations:disconnect", args=[row.pk]), reverse("integrations:run_detail", args=[run.pk]),
    ):  # fmt: skip
        assert stranger.get(path).status_code == 404
    assert stranger.post(reverse("integrations:disconnect", args=[row.pk])).status_code == 404
    assert stranger.post(reverse("integrations:run_cancel", args=[run.pk])).status_code == 404
    assert (
        stranger.post(reverse("integrations:processing_start"), {"connection": row.pk}, HTTP_ACCEPT="application/json").status_code == 409
    )
    assert row.account_email not in stranger.get(reverse("integrations:connections")).content.decode()


def test_disconnecting_revokes_at_google_and_deletes_here(web, sandbox, connect, member):
    row = connect()
    refresh = row.refresh_token
    path = reverse("integrations:disconnect", args=[row.pk])
    assert "delete our keys" in web.get(path).content.decode()
    response = web.post(path)
    assert "Google has withdrawn our permission" in web.get(response["Location"]).content.decode()
    row.refresh_from_db()
    assert (row.status, row.access_token, row.refresh_token, row.expires_at) == ("revoked", None, None, None)
    assert requests_to(sandbox, "oauth.revoke") == 1 and "connection.revoked" in actions()
    assert Run.objects.get().status == "cancelled" and Consent.objects.get().withdrawn_at
    with pytest.raises(Exception, match="invalid_grant"):
        google_oauth.refresh(refresh)
    assert not mail.outbox


def test_the_consent_lasts_until_the_last_mailbox_is_disconnected(web, sandbox, connect, member):
    row = connect()
    second = Connection(owner=member, provider="gmail", provider_subject="second", account_email="second@example.test", status="active")
    second.save()
    web.post(reverse("integrations:disconnect", args=[row.pk]))
    assert Consent.objects.get().withdrawn_at is None
    web.post(reverse("integrations:disconnect", args=[second.pk]))
    assert Consent.objects.get().withdrawn_at


def test_disconnecting_works_while_google_is_down_and_says_what_to_do(web, sandbox, connect):
    row = connect()
    sandbox.control("POST", "/faults", {"status": 500, "path": "/revoke"})
    response = web.post(reverse("integrations:disconnect", args=[row.pk]))
    assert "myaccount.google.com/permissions" in web.get(response["Location"]).content.decode()
    row.refresh_from_db()
    assert row.status == "revoked" and row.refresh_token is None


def test_who_is_not_premium_gives_a_key_for_one_scan(web, sandbox, connect):
    InstanceSettings(premium_for="nobody").save()
    assert "for this scan only" in web.get(CONNECT).content.decode()
    assert asked(web)["access_type"] == "online"
    row = connect()
    assert row.refresh_token is None and row.access_token
    engine.execute(Run.objects.get().pk)
    row.refresh_from_db()
    assert (row.status, row.access_token, row.refresh_token) == ("paused", None, None)
    assert "Scan my inbox" in web.get(reverse("integrations:connections")).content.decode()


def test_plain_http_is_refused_outside_development_and_test(web, sandbox, settings):
    settings.ENVIRONMENT = "production"
    with pytest.raises(OAuthUnavailable, match="tls_required"):
        google_oauth.endpoint("token_endpoint")


def test_pages_never_open_a_token(web, sandbox, connect, monkeypatch):
    connect()
    monkeypatch.setattr("vault.fields.services.open_sealed", lambda *_: pytest.fail("a token was opened"))
    for name in ("connections", "gmail_connect", "run_list", "processing_status"):
        assert web.get(reverse(f"integrations:{name}")).status_code == 200


def test_pages_take_few_queries_however_many_rows(web, sandbox, connect, django_assert_max_num_queries):
    pipeline = connect().pipelines.get()
    Run.objects.update(status="succeeded")
    Run.objects.bulk_create([Run(pipeline=pipeline, status="succeeded") for _ in range(40)])
    for name in ("connections", "run_list", "processing_status", "gmail_connect"):
        with django_assert_max_num_queries(12):
            web.get(reverse(f"integrations:{name}"))
    with django_assert_max_num_queries(12):
        web.get(reverse("integrations:processing_status"), HTTP_HX_REQUEST="true")
