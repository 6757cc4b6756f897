"""What strangers and colleagues try: forged hosts, keys left in records, columns read letter by letter, timing."""

import re
from urllib.parse import quote

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.conf import settings
from django.core import mail
from django.core.cache import caches
from django.test import Client
from django.urls import get_resolver, reverse

from aaperture.lib.redaction import redact_text
from accounts.models import User
from audit.models import Activity
from tests.accounts.people import PASSWORD, make_user, totp_code
from tests.stopwatch import cpu_seconds_of_each
from tests.urlconf import every_path, every_url

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/accounts/password/reset/", "/accounts/signup/"])
@pytest.mark.parametrize("known", [True, False])
def test_links_in_mails_lead_to_the_configured_address_whatever_host_was_named(client, settings, path, known):
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = "https://studio.example.test", ["*"]
    if known:
        make_user(email="alice@example.test")
    client.post(path, {"email": "alice@example.test", "password1": PASSWORD, "name": "A"}, headers={"host": "evil.example:1337"})
    message = mail.outbox[-1]
    bodies = message.body + str(message.alternatives)
    assert "https://studio.example.test/accounts/" in bodies
    assert "evil.example" not in bodies + str(message.subject) + str(message.message())


def test_the_key_of_a_mailed_link_is_never_written_to_the_activity_log():
    client = Client(enforce_csrf_checks=True)
    for path in ("/accounts/confirm-email/CANARY/", "/accounts/password/reset/key/1-CANARY/", "/admin/accounts/user/%00CANARY/change/"):
        assert client.post(path).status_code == 403
    rows = Activity.objects.filter(action="csrf.failed")
    assert rows.count() == 3, "a path with a NUL in it is on record too"
    assert not [row for row in rows if "CANARY" in row.canonical]


@pytest.mark.parametrize(
    ("path", "column", "guess"),
    [
        ("accounts/user", "password", "bcrypt"),
        ("integrations/connection", "account_email", "a"),
        ("integrations/connection", "owner__email", "a"),
        ("audit/activity", "canonical", "{"),
    ],
)
def test_no_hidden_column_can_be_read_letter_by_letter_in_the_console(client, path, column, guess):
    client.force_login(make_user(role="admin"))
    assert client.get(f"/admin/{path}/?{column}__startswith={quote(guess)}").status_code == 400


@pytest.mark.parametrize("pattern", ["role__regex=(", "role__iregex=[", "role__startswith=a"])
def test_an_offered_column_is_filtered_as_offered_and_not_by_a_pattern(client, pattern):
    client.force_login(make_user(role="executive"))
    assert client.get(f"/admin/accounts/user/?{pattern}").status_code == 400


def test_a_stranger_cannot_keep_somebody_from_an_address_by_signing_up_with_it(client):
    Client().post(reverse("account_signup"), {"email": "mine@example.test", "password1": "Strangers-Pass-7", "name": "S"})
    owner = make_user(email="owner@example.test")
    client.force_login(owner)
    mine = EmailAddress.objects.create(user=owner, email="mine@example.test")
    client.post(reverse("account_confirm_email", args=[EmailConfirmationHMAC(mine).key]))
    client.post(reverse("account_email"), {"action_primary": "", "email": "mine@example.test"})
    assert User.objects.get() == owner and User.objects.get().email == "mine@example.test"


def test_every_change_of_somebodys_addresses_is_on_record(client):
    owner = make_user(email="owner@example.test", password=PASSWORD)
    client.post(reverse("account_login"), {"login": owner.email, "password": PASSWORD})
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.post(reverse("account_email"), {"action_add": "", "email": "second@example.test"})
    EmailAddress.objects.filter(email="second@example.test").update(verified=True)
    client.post(reverse("account_email"), {"action_primary": "", "email": "second@example.test"})
    client.post(reverse("account_email"), {"action_remove": "", "email": "owner@example.test"})
    assert User.objects.get().email == "second@example.test" and EmailAddress.objects.count() == 1
    assert Activity.objects.filter(action="user.updated", details__fields=["email"]).count() == 3


def test_staff_who_are_not_signed_in_come_back_to_the_page_of_the_console_they_asked_for(client):
    make_user(email="admin@example.test", role="admin", password=PASSWORD)
    response = client.get("/admin/accounts/user/", follow=True)
    sign_in, _status = response.redirect_chain[-1]
    client.post(sign_in, {"login": "admin@example.test", "password": PASSWORD})
    response = client.post(reverse("mfa_authenticate"), {"code": totp_code()}, follow=True)
    assert response.status_code == 200 and response.request["PATH_INFO"] == "/admin/accounts/user/"


def test_the_filters_a_list_offers_work(client):
    client.force_login(make_user(role="admin"))
    for path in ("accounts/user/?role__exact=admin", "accounts/user/?is_active__exact=1", "integrations/connection/?status__exact=active"):
        assert client.get(f"/admin/{path}").status_code == 200


@pytest.mark.parametrize(("path", "host"), [("/static/css/app.css", None), ("/accounts/login", None), ("/", "evil.example")])
def test_even_files_redirects_and_early_refusals_cannot_be_framed(client, path, host):
    response = client.get(path, headers={"host": host} if host else {})
    assert response.headers["X-Frame-Options"] == "DENY" and "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


def test_the_way_to_https_has_its_headers_too(settings):
    settings.SECURE_SSL_REDIRECT = True
    response = Client().get("/accounts/login/")
    assert response.status_code == 301 and response.url == "https://testserver/accounts/login/"
    assert response.headers["X-Frame-Options"] == "DENY" and "Permissions-Policy" in response.headers


@pytest.mark.usefixtures("twelve_rounds")
def test_signing_up_takes_as_long_for_a_taken_address_as_for_a_free_one(client):
    def sign_up(email: str) -> None:
        caches["limits"].clear()
        client.post(reverse("account_signup"), {"email": email, "password1": PASSWORD, "name": "A"})

    make_user(email="taken@example.test")
    sign_up("warm-up@example.test")
    ways = {"free": lambda n: sign_up(f"free{n}@example.test"), "taken": lambda _n: sign_up("taken@example.test")}
    took = cpu_seconds_of_each(ways, ratio=2)
    assert User.objects.filter(email="free0@example.test").exists()
    assert max(took.values()) < 2 * min(took.values()), took


def test_no_log_holds_the_token_of_a_mailed_link():
    """Ours masks it and nginx's cuts it off, for every address that has one."""
    masked = re.compile(re.search(r"~(\^\S+) ", (settings.BASE_DIR / "deploy/nginx.conf").read_text())[1].replace("?<", "?P<"))
    paths = every_path()
    routes = [(name, route) for name, route, _pattern in every_url(get_resolver()) if re.search(r":(token|key)>|<key>", route)]
    mailed = [name for name, route in routes if not name.startswith(("admin:", "api:"))]
    assert {"account_confirm_email", "account_reset_password_from_key", "invitation_open"} <= set(mailed)
    for name in mailed:
        assert masked.match(paths[name]), name
        assert redact_text(f"Not Found: {paths[name]}").rstrip("/").endswith("[redacted]"), name
