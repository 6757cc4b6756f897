"""What people see and may do about their own security: R-058, R-230."""

import re
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from aaperture.lib.agents import describe_agent
from accounts import own_security
from accounts.models import ApiSession, Session
from accounts.services import account_mail
from audit.models import Activity
from audit.services import record
from tests.accounts.authenticators import code_now, give_codes, give_passkey
from tests.accounts.people import PASSWORD, SEED, add_totp, make_user, step_up

pytestmark = pytest.mark.django_db
PAGE = "/settings/security/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"


def sign_in(user, *, agent: str = FIREFOX, address: str = "203.0.113.9") -> Client:
    client = Client(headers={"user-agent": agent}, REMOTE_ADDR=address)
    client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    return client


@pytest.fixture
def anna():
    return make_user(email="anna@example.test", password=PASSWORD)


def text(client: Client, path: str = PAGE) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get(path).content.decode()))


def api_session(user) -> ApiSession:
    now = timezone.now()
    session = ApiSession(user=user, expires_at=now + timedelta(days=7), address="198.51.100.7", agent="curl/8.5.0")
    session.save(force_insert=True)
    return session


def references(client: Client) -> list[str]:
    return re.findall(r"/settings/security/sessions/([0-9a-f]+)/end/", client.get(PAGE).content.decode())


def test_the_page_lists_own_sessions_of_both_kinds_in_plain_words(anna):
    here, _phone = sign_in(anna), sign_in(anna, agent=SAFARI, address="198.51.100.4")
    api_session(anna)
    page = text(here)
    assert "Firefox on Windows This one Web" in page and "203.0.113.9" in page
    assert "Safari on iPhone Web" in page and "198.51.100.4 · Password" in page
    assert "curl API" in page and "198.51.100.7" in page


def test_no_session_key_stands_on_the_page(anna):
    here = sign_in(anna)
    other = sign_in(anna, agent=SAFARI)
    html = here.get(PAGE).content.decode()
    assert all(client.session.session_key not in html for client in (here, other))


def test_sessions_of_others_and_sessions_that_are_over_are_not_listed(anna):
    here = sign_in(anna)
    sign_in(make_user(password=PASSWORD), agent=SAFARI)
    idle = sign_in(anna, agent=SAFARI)
    Session.objects.filter(session_key=idle.session.session_key).update(seen_at=timezone.now() - timedelta(minutes=31))
    ended = api_session(anna)
    ApiSession.objects.filter(pk=ended.pk).update(ended_at=timezone.now())
    assert len(references(here)) == 0


def test_ending_one_asks_first_and_then_shuts_it_at_its_next_request(anna):
    here, phone = sign_in(anna), sign_in(anna, agent=SAFARI)
    [reference] = references(here)
    url = reverse("settings_session_end", args=[reference])
    assert "Safari on iPhone" in text(here, url)
    assert phone.get(PAGE).status_code == 200
    assert here.post(url).url == PAGE
    assert phone.get(PAGE).status_code == 302 and here.get(PAGE).status_code == 200
    assert Activity.objects.get(action="session.ended").target_id == str(anna.pk)


def test_a_session_of_the_api_is_ended_the_same_way(anna):
    here, session = sign_in(anna), api_session(anna)
    [reference] = references(here)
    here.post(reverse("settings_session_end", args=[reference]))
    session.refresh_from_db()
    assert session.ended_at is not None


def test_ending_all_others_keeps_this_one(anna):
    here, phone, session = sign_in(anna), sign_in(anna, agent=SAFARI), api_session(anna)
    assert "2 other sessions are open" in text(here, reverse("settings_sessions_end"))
    here.post(reverse("settings_sessions_end"))
    session.refresh_from_db()
    assert phone.get(PAGE).status_code == 302 and session.ended_at and here.get(PAGE).status_code == 200


def test_a_strangers_session_cannot_be_named_and_nor_can_this_one(anna):
    here, stranger = sign_in(anna), sign_in(make_user(password=PASSWORD), agent=SAFARI)
    api_session(anna)
    for name in [*references(here), "0" * 32]:
        assert stranger.post(reverse("settings_session_end", args=[name])).status_code == 404
    this = own_security.sessions_of(anna, here.get(PAGE).wsgi_request)[0]
    assert this.is_this and here.post(reverse("settings_session_end", args=[this.reference])).status_code == 404
    assert ApiSession.objects.filter(ended_at=None).count() == 1


def test_recent_sign_ins_say_when_how_whence_and_whether_they_succeeded(anna):
    Client(headers={"user-agent": SAFARI}, REMOTE_ADDR="198.51.100.66").post(
        reverse("account_login"), {"login": anna.email, "password": "Wrong-Horse-7"}
    )
    page = text(sign_in(anna))
    assert re.search(r"Refused – Safari on iPhone 198\.51\.100\.66", page)
    assert re.search(r"Signed in Password Firefox on Windows 203\.0\.113\.9", page)


def test_a_lock_and_somebody_elses_sign_ins(anna):
    other = make_user(password=PASSWORD)
    sign_in(other, agent=SAFARI)
    record("account.locked", anna)
    page = text(sign_in(anna))
    assert "Name locked" in page and "Safari" not in page


def test_sign_ins_come_in_pages_and_no_older_than_thirty_days(anna):
    here = sign_in(anna)
    for _number in range(own_security.SIGN_INS_A_PAGE):
        record("user.login.failed", anna, reason="credentials")
    assert here.get(PAGE).content.count(b'badge warn">Refused') == own_security.SIGN_INS_A_PAGE
    second = text(here, PAGE + "?page=2")
    assert "Signed in Password" in second and "Newer" in second and "Older" not in second
    for odd in ("0", "-1", "x", "²", "9" * 5000):
        assert here.get(PAGE, {"page": odd}).status_code == 200


def test_the_next_step_is_always_one(anna):
    assert own_security.factors_of(anna).next == "set_up"
    add_totp(anna)
    assert own_security.factors_of(anna).next == "new_codes"
    codes = give_codes(anna)
    assert own_security.factors_of(anna).next == "keep_codes"
    row = Authenticator.objects.get(type="recovery_codes")
    row.data["viewed_at"] = 1.0
    row.save()
    assert own_security.factors_of(anna).next == "add_passkey"
    give_passkey(anna)
    assert own_security.factors_of(anna).next == ""
    row.data["used_mask"] = 0b1111111
    row.save()
    assert own_security.factors_of(anna).codes_left == len(codes) - 7 and own_security.factors_of(anna).next == "new_codes"


def test_every_page_of_the_second_step_asks_for_a_fresh_proof(client, anna):
    add_totp(anna)
    passkey = give_passkey(anna)
    give_codes(anna)
    client.force_login(anna)
    paths = ["totp/deactivate/", "recovery-codes/", "recovery-codes/generate/", "recovery-codes/download/", "webauthn/add/"]
    for path in [*paths, f"webauthn/keys/{passkey.pk}/remove/", f"webauthn/keys/{passkey.pk}/edit/"]:
        response = client.get("/accounts/2fa/" + path)
        assert response.status_code == 302 and response.url.startswith("/accounts/reauthenticate/"), path


def test_a_passkey_of_somebody_else_cannot_be_renamed_or_removed(client, anna):
    theirs = give_passkey(make_user())
    client.force_login(anna)
    step_up(client, anna)
    for act in ("edit", "remove"):
        assert client.post(f"/accounts/2fa/webauthn/keys/{theirs.pk}/{act}/", {"name": "Mine"}).status_code == 404
    assert Authenticator.objects.get(pk=theirs.pk).data["name"] == "Phone"


def test_a_recovery_code_used_is_on_record_and_its_owner_is_told(anna, mailoutbox):
    add_totp(anna)
    code = give_codes(anna)[0]
    client = sign_in(anna)
    client.post(reverse("mfa_authenticate"), {"code": code})
    assert "_auth_user_id" in client.session
    used = Activity.objects.get(action="recovery_codes.used")
    assert used.target_id == str(anna.pk) and code not in used.canonical
    account_mail.tell_of_recovery_code(str(anna.pk))
    assert mailoutbox[-1].subject == "A recovery code was used" and "9 codes are left" in mailoutbox[-1].body


def test_a_sign_in_from_another_kind_of_device_is_mailed_once_and_the_first_one_never(anna, mailoutbox):
    for agent in (FIREFOX, FIREFOX, SAFARI, SAFARI):
        sign_in(anna, agent=agent, address="198.51.100.4")
        account_mail.tell_of_new_program(str(anna.pk))
    assert [message.subject for message in mailoutbox] == ["New sign-in: Safari on iPhone"]
    assert "198.51.100.4" in mailoutbox[0].body


@pytest.mark.django_db(transaction=True)  # allauth writes when the change is committed
@pytest.mark.parametrize(
    ("language", "subjects"),
    [
        ("en", ["Second step: the authenticator app was removed", "New recovery codes were made"]),
        ("fr", ["Deuxième étape\u00a0: l’application d’authentification a été retirée", "De nouveaux codes de secours ont été créés"]),
    ],
)
def test_changes_of_the_second_step_are_mailed_in_the_persons_language(client, mailoutbox, language, subjects):
    anna = make_user(password=PASSWORD, language=language)
    add_totp(anna)
    give_passkey(anna)
    give_codes(anna)
    client.force_login(anna)
    step_up(client, anna)
    client.post(reverse("mfa_deactivate_totp"))
    client.post(reverse("mfa_generate_recovery_codes"))
    assert [message.subject for message in mailoutbox] == subjects
    assert mailoutbox[0].alternatives


def test_a_mail_server_that_is_down_does_not_undo_the_change(client, anna, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    add_totp(anna)
    client.force_login(anna)
    step_up(client, anna)
    assert client.post(reverse("mfa_deactivate_totp")).status_code == 302
    assert not Authenticator.objects.exists()


def test_the_operator_removes_a_second_factor_on_the_host_and_everybody_concerned_knows(anna, mailoutbox, capsys):
    add_totp(anna)
    give_codes(anna)
    client = sign_in(anna)
    client.post(reverse("mfa_authenticate"), {"code": code_now(SEED)})
    call_command("remove_second_factor", "ANNA@example.test")
    assert not Authenticator.objects.exists() and client.get(PAGE).status_code == 302
    removed = Activity.objects.filter(action="second_factor.removed")
    assert {row.details["kind"] for row in removed} == {"totp", "recovery_codes"}
    assert {(row.actor_kind, row.details["method"]) for row in removed} == {("system", "command")}
    assert [message.subject for message in mailoutbox] == ["The second step of your account was removed"]
    assert mail.outbox[0].to == [anna.email] and "1 recovery_codes, 1 totp" in capsys.readouterr().out


@pytest.mark.parametrize("email", ["nobody@example.test", "anna@example.test"])
def test_it_says_so_where_there_is_nothing_to_remove(anna, email):
    with pytest.raises(CommandError):
        call_command("remove_second_factor", email)


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        (SAFARI, "Safari on iPhone"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            "Edge on macOS",
        ),
        ("Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (X11; CrOS x86_64 16093) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36", "Chrome on ChromeOS"),
        ("python-requests/2.34", "Python"),
        ("curl/8.5.0", "curl"),
        ("", "Unknown program"),
        ("<script>alert(1)</script>", "Unknown program"),
    ],
)
def test_a_browser_is_told_in_plain_words(agent, words):
    assert describe_agent(agent) == words
