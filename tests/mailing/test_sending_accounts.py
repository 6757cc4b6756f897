"""The studio's own mail server: encrypted or not at all, its certificate checked, its password nowhere to be read."""

import asyncio
import logging
import ssl
from email import message_from_bytes

import pytest
from aiosmtpd.smtp import AuthResult
from django.db import connection
from django.urls import reverse

from aaperture.lib import safe_http
from mailing.models import ScheduledEmail, SendingAccount
from mailing.sending import batch, smtp
from mailing.services import emails, sending_accounts
from tests.accounts.people import make_user
from tests.accounts.studios import browser_of
from tests.integrations.feed import certificate
from tests.mailing.post import Quick, contacts_named, mail_server, make_template, quick_server, use_server
from tests.studio.trade import studio_of

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "words of the studio"


def url(name, **query):
    return reverse(f"mailing:{name}", query=query)


@pytest.fixture
def anna():
    return make_user(name="Anna", language="en", email="anna@studio.example")


@pytest.fixture
def pem(tmp_path_factory, monkeypatch):
    file = certificate(tmp_path_factory.mktemp("authority"))
    monkeypatch.setattr(safe_http, "REACH", safe_http.Reach(loopback=True, authorities=str(file)))
    return file


def tls(pem):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def knows(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"anna", PASSWORD.encode()), handled=False)


def entered(anna, port, *, host="127.0.0.1", security="tls", password=PASSWORD):
    fields = {
        "host": host, "port": port, "security": security, "username": "anna", "from_email": "anna@studio.example", "from_name": "",
    }  # fmt: skip
    return sending_accounts.save_account(studio_of(anna), fields=fields, password=password, actor=anna)


def tried(anna, *arguments, **options):
    return sending_accounts.try_account(entered(anna, *arguments, **options), to=anna.email, actor=anna)


AUTH = {"authenticator": knows, "auth_required": True}


def test_with_tls_and_with_starttls_the_test_message_goes_through_and_mail_comes_from_there(anna, pem):
    with mail_server(ssl_context=tls(pem), auth_require_tls=False, **AUTH) as (told, port):
        assert tried(anna, port) == "" and SendingAccount.objects.get().is_enabled
        assert told.taken[0][0] == anna.email
        template = make_template(studio_of(anna), anna)
        emails.schedule_emails(studio_of(anna), template=template, targets=contacts_named(studio_of(anna), ["client"]), actor=anna)
        assert batch.send_due() == {"sent": 1}
        assert "anna@studio.example" in message_from_bytes(told.taken[1][1])["From"]
    with mail_server(tls_context=tls(pem), require_starttls=True, **AUTH) as (told, port):
        assert tried(anna, port, security="starttls") == "" and len(told.taken) == 1


def test_each_fault_has_its_code_and_nothing_goes_out_in_clear(anna, pem, monkeypatch, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    with mail_server(tls_context=tls(pem), require_starttls=True, **AUTH) as (told, port):
        assert tried(anna, port, security="starttls", password="wrong-one") == "auth"
        assert tried(anna, port) == "tls"  # speaks no TLS from the first byte
        assert tried(anna, port, host="localhost", security="starttls") == "tls"  # the certificate names 127.0.0.1
        monkeypatch.setattr(safe_http, "REACH", safe_http.Reach(loopback=True))
        assert tried(anna, port, security="starttls") == "tls"  # an authority that nobody knows
        monkeypatch.setattr(safe_http, "REACH", safe_http.Reach())
        for host in ("127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "::1", "0.0.0.0", "::127.0.0.1", "fec0::1"):
            assert tried(anna, port, host=host, security="starttls") == "address_refused", host
        assert not told.taken
    monkeypatch.setattr(safe_http, "REACH", safe_http.Reach(loopback=True, authorities=str(pem)))
    seen = []
    with mail_server(authenticator=lambda *some: seen.append(some), auth_require_tls=False) as (told, port):
        assert tried(anna, port, security="starttls") == "tls"  # offers no STARTTLS
        assert not told.taken and not seen
    assert tried(anna, 1) == "connect"
    account = SendingAccount.objects.get()
    assert (account.is_enabled, account.last_error) == (False, "connect")
    assert PASSWORD not in caplog.text and "wrong-one" not in caplog.text
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(a::text, '') FROM audit_activity a")
        assert PASSWORD not in cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(a::text, '') FROM mailing_sendingaccount a")
        assert PASSWORD not in cursor.fetchone()[0]


def test_what_waits_because_of_the_account_is_released_when_it_works_again(anna, pem):
    template = make_template(studio_of(anna), anna)
    with mail_server(ssl_context=tls(pem), auth_require_tls=False, **AUTH) as (told, port):
        assert tried(anna, port) == ""
        account = SendingAccount.objects.get()
        account.password = "changed at the provider"
        account.save()
        emails.schedule_emails(studio_of(anna), template=template, targets=contacts_named(studio_of(anna), ["a", "b"]), actor=anna)
        assert batch.send_due() == {"held": 2}
        assert set(ScheduledEmail.objects.values_list("error", flat=True)) == {"auth"}
        by_somebody = ScheduledEmail.objects.first()
        ScheduledEmail.objects.filter(pk=by_somebody.pk).update(status="scheduled")
        emails.hold_emails([by_somebody], actor=anna)
        assert tried(anna, port) == ""
        assert batch.send_due() == {"sent": 1} and len(told.taken) == 3
        assert ScheduledEmail.objects.get(status="held") == by_somebody


class KnowsNobody(Quick):
    said, asked = b"", 0

    def _answer(self, line):
        if line[:4] == b"EHLO":
            return b"250-quick\r\n250 AUTH PLAIN\r\n"
        KnowsNobody.asked += line[:4] == b"AUTH"
        return self.said if line[:4] == b"AUTH" else super()._answer(line)


@pytest.mark.parametrize(
    ("own", "said", "row"),
    [(True, b"535 no", ("held", "auth")), (True, b"454 later", ("scheduled", "greeting")), (False, b"535 no", ("scheduled", "greeting"))],
)
def test_only_a_studio_that_can_put_it_right_has_its_mail_put_on_hold_for_a_password(anna, pem, monkeypatch, settings, own, said, row):
    monkeypatch.setattr(KnowsNobody, "said", said + b"\r\n")
    monkeypatch.setattr(KnowsNobody, "asked", 0)
    with quick_server(KnowsNobody, ssl_context=tls(pem) if own else None) as (taken, port):
        use_server(port)
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "aaperture", PASSWORD
        if own:
            entered(anna, port)
            SendingAccount.objects.update(is_enabled=True)
        targets = contacts_named(studio_of(anna), ["a", "b", "c"])
        emails.schedule_emails(studio_of(anna), template=make_template(studio_of(anna), anna), targets=targets, actor=anna)
        assert batch.send_due() == {row[0]: 3} and not taken and KnowsNobody.asked == 1
    assert set(ScheduledEmail.objects.values_list("status", "error")) == {row}


class HoldsTexts(Quick):
    """Answers a text no sooner than another server has had its mails."""

    others: list[bytes] = []

    def _taken(self):
        answer = super()._taken()
        self.transport.pause_reading()
        self._look(answer)
        return b""

    def _look(self, answer):
        if len(self.others) < 3:
            asyncio.get_running_loop().call_later(0.01, self._look, answer)
        else:
            self.transport.write(answer)
            self.transport.resume_reading()


def test_a_studios_slow_server_does_not_hold_up_the_mails_of_others(anna, pem, monkeypatch):
    monkeypatch.setattr(batch, "OWN_WAIT", 0.05)
    monkeypatch.setattr(smtp, "TIMEOUT", 5.0)
    with quick_server(HoldsTexts, ssl_context=tls(pem)) as (slow, port), quick_server() as (others, quick):
        use_server(quick)
        monkeypatch.setattr(HoldsTexts, "others", others)
        account = entered(anna, port)
        account.username, account.is_enabled = "", True
        account.save()
        for owner, count in ((anna, 80), (make_user(name="Ben"), 3)):
            targets = contacts_named(studio_of(owner), [f"{owner.name}{number}".lower() for number in range(count)])
            emails.schedule_emails(studio_of(owner), template=make_template(studio_of(owner), owner), targets=targets, actor=owner)
        assert batch.send_due() == {"sent": 83}
    assert len(slow) == len(set(slow)) == 80 and len(others) == 3


def test_the_page_tries_what_is_entered_and_never_shows_the_password_again(anna, pem, monkeypatch):
    web = browser_of(anna)
    fields = {"from_email": "anna@studio.example", "host": "127.0.0.1", "security": "tls", "username": "anna", "password": PASSWORD}
    wrong = web.post(url("account"), fields | {"port": "22", "host": "https://smtp.example.com/"})
    assert wrong.status_code == 422 and "465 or 587" in wrong.text and "without “https://”" in wrong.text
    assert PASSWORD not in wrong.text and not SendingAccount.objects.exists()
    with mail_server(ssl_context=tls(pem), auth_require_tls=False, **AUTH) as (_told, port):
        monkeypatch.setattr("mailing.forms.PORTS", {port})
        refused = web.post(url("account"), fields | {"port": port, "password": "not-it-either"})
        assert refused.status_code == 422 and "refuses the user name or the password" in refused.text
        assert "not-it-either" not in refused.text
        assert "what is on hold" not in refused.text  # a test waits nowhere
        assert "refuses the user name" not in web.post(url("account"), fields | {"port": "22"}).text  # that was another attempt
        assert "Not in use" in web.get(url("settings")).text
        assert web.post(url("account"), fields | {"port": port})["Location"].startswith(url("settings"))
        assert PASSWORD not in web.get(url("account")).text + web.get(url("settings")).text
        # without a password the stored one stays, but never for another server or user
        assert web.post(url("account"), fields | {"port": port, "password": "", "from_name": "Anna"}).status_code == 302
        assert web.post(url("account"), fields | {"port": port, "password": "", "username": "mallory"}).status_code == 422
        assert not SendingAccount.objects.get().password
    web.post(url("account_remove"))
    assert not SendingAccount.objects.exists() and web.get(url("account_remove")).status_code == 404
    with mail_server() as (_told, port):
        use_server(port)
        template = make_template(studio_of(anna), anna)
        emails.schedule_emails(studio_of(anna), template=template, targets=contacts_named(studio_of(anna), ["a"]), actor=anna)
        assert batch.send_due() == {"sent": 1}
