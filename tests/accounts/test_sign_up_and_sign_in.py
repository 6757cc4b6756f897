"""An account's life by e-mail and password, over real SMTP: sign-up, verification, login, logout, change, reset."""

import re

import pytest
from django.urls import reverse

from accounts.models import Membership, User
from audit.models import Activity
from tests.accounts.people import PASSWORD, make_user

pytestmark = pytest.mark.django_db


def actions() -> list[str]:
    return list(Activity.objects.order_by("recorded_at", "id").values_list("action", flat=True))


def mails(sandbox) -> list[dict]:
    return sandbox.control("GET", "/mail")["mail"]


def link_in(mail: dict) -> str:
    return re.search(r"https?://[^/\s]+(/accounts/\S+)", mail["text"])[1]


def sign_up(client, **data):
    return client.post(reverse("account_signup"), {"name": "Zoé Martin", "email": "zoe@example.test", "password1": PASSWORD} | data)


def login(client, email="zoe@example.test", password=PASSWORD):
    return client.post(reverse("account_login"), {"login": email, "password": password})


def test_no_account_exists_after_install():
    assert User.objects.count() == 0


def test_sign_up_verify_and_sign_in_by_mail(client, sandbox):
    response = sign_up(client)
    assert response.status_code == 302 and response.url == reverse("account_email_verification_sent")
    user = User.objects.get()
    assert (user.email, user.name, user.role, user.is_staff) == ("zoe@example.test", "Zoé Martin", "member", False)
    assert Membership.objects.get(user=user).role == "owner"
    assert login(client).url == reverse("account_email_verification_sent")  # not before the address is verified
    link = link_in(mails(sandbox)[0])
    assert client.get(link).status_code == 200
    assert "_auth_user_id" not in client.session  # opening a link changes nothing: scanners open links
    client.post(link)
    client.post(reverse("account_logout"))
    assert login(client).url == reverse("home")
    names = actions()
    assert names[:2] == ["user.created", "organization.created"]
    assert {"user.email.verified", "user.login", "user.logout"} <= set(names)


def test_a_role_in_the_form_changes_nothing(client, sandbox):
    sign_up(client, role="admin", is_staff="1", is_active="1", is_primary_admin="1")
    user = User.objects.get()
    assert user.role == "member" and not user.is_primary_admin


def test_signing_up_twice_looks_the_same_and_tells_the_owner_by_mail(client, sandbox):
    make_user(email="zoe@example.test", password=PASSWORD)
    first = sign_up(client)
    other = sign_up(client, email="new@example.test")
    assert first.status_code == other.status_code == 302 and first.url == other.url
    assert User.objects.filter(email="zoe@example.test").count() == 1


def test_the_address_is_one_account_whatever_its_case(client, sandbox):
    make_user(email="zoe@example.test", password=PASSWORD)
    sign_up(client, email="ZOE@Example.TEST")
    assert User.objects.count() == 1
    assert login(client, email="Zoe@EXAMPLE.test").status_code == 302


def test_sign_up_can_be_closed(client, sandbox):
    from accounts.models import InstanceSettings

    InstanceSettings(registration_open=False).save()
    sign_up(client)
    assert User.objects.count() == 0


@pytest.mark.parametrize(
    ("password", "accepted"),
    [
        ("Abcde1x", False),
        ("Rb7kqwXz", True),
        ("R7" + "kqwXzb" * 21, True),  # 128
        ("R7" + "kqwXzb" * 21 + "x", False),  # 129
        ("rb7kqwxz", False),
        ("RB7KQWXZ", False),
        ("RbskqwXz", False),
        ("Password1", False),
        ("Zoe.martin1", False),
    ],
)
def test_what_a_password_must_be(client, sandbox, password, accepted):
    sign_up(client, email="zoe.martin@example.test", password1=password)
    assert User.objects.exists() is accepted


def test_passwords_are_stored_by_bcrypt_sha256_with_twelve_rounds_and_their_own_salt(twelve_rounds):
    first, second = make_user(password=PASSWORD), make_user(password=PASSWORD)
    assert first.password.startswith("bcrypt_sha256$$2b$12$") and first.password != second.password


def test_nothing_after_byte_72_is_ignored():
    long = "Aa1" + "x" * 90
    user = make_user(password=long)
    assert user.check_password(long) and not user.check_password(long[:72]) and not user.check_password(long[:-1] + "y")


def test_a_wrong_password_and_an_unknown_account_answer_the_same(client, sandbox):
    make_user(email="zoe@example.test", password=PASSWORD)
    make_user(email="gone@example.test", password=PASSWORD, is_active=False)
    answers = [
        login(client, email=email, password="Wrong-Pass-1") for email in ("zoe@example.test", "nobody@example.test", "gone@example.test")
    ]
    texts = {re.sub(r'value="[^"]*"|nonce="[^"]*"|[0-9a-f-]{36}|"X-CSRFToken": "\w+"', "", answer.content.decode()) for answer in answers}
    assert {answer.status_code for answer in answers} == {200} and len(texts) == 1
    failed = Activity.objects.filter(action="user.login.failed")
    assert failed.count() == 3 and all(row.account_hash and row.address_hash for row in failed)


def test_signing_in_renews_the_session_id(client, sandbox):
    make_user(email="zoe@example.test", password=PASSWORD)
    client.get(reverse("account_login"))
    client.session["x"] = 1
    session = client.session
    session["before"] = 1
    session.save()
    before = client.session.session_key
    login(client)
    assert client.session.session_key != before


def test_changing_the_password_needs_the_current_one(client, sandbox):
    user = make_user(email="zoe@example.test", password=PASSWORD)
    login(client)
    url = reverse("account_change_password")
    client.post(url, {"oldpassword": "Wrong-Pass-1", "password1": "New-Horse-88", "password2": "New-Horse-88"})
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    client.post(url, {"oldpassword": PASSWORD, "password1": "New-Horse-88", "password2": "New-Horse-88"})
    user.refresh_from_db()
    assert user.check_password("New-Horse-88") and "password.changed" in actions()


def test_a_forgotten_password_is_reset_by_a_link_that_works_once(client, sandbox):
    user = make_user(email="zoe@example.test", password=PASSWORD)
    client.post(reverse("account_reset_password"), {"email": "zoe@example.test"})
    link = link_in(mails(sandbox)[-1])
    form = client.get(link, follow=True)
    url = form.redirect_chain[-1][0]
    client.post(url, {"password1": "New-Horse-88", "password2": "New-Horse-88"})
    user.refresh_from_db()
    assert user.check_password("New-Horse-88") and "password.reset" in actions()
    assert "_auth_user_id" not in client.session
    assert b"password1" not in client.get(link, follow=True).content


def test_an_administrators_password_cannot_be_reset_by_mail_and_the_page_does_not_tell(client, sandbox):
    make_user(email="boss@example.test", password=PASSWORD, role="admin")
    make_user(email="zoe@example.test", password=PASSWORD)
    answers = [client.post(reverse("account_reset_password"), {"email": email}) for email in ("boss@example.test", "zoe@example.test")]
    assert {(answer.status_code, answer.url) for answer in answers} == {(302, reverse("account_reset_password_done"))}
    told, linked = sorted(mails(sandbox), key=lambda mail: "zoe@example.test" in str(mail))
    assert "boss@example.test" in str(told) and "/password/reset/key/" not in str(told)  # as many mails for one as for the other
    assert "zoe@example.test" in str(linked) and "/password/reset/key/" in str(linked)
    assert actions().count("password.reset.requested") == 2


def test_a_mail_is_written_in_the_language_of_whoever_gets_it(client, sandbox):
    make_user(email="zoe@example.test", password=PASSWORD, language="fr")
    client.post(reverse("account_reset_password"), {"email": "zoe@example.test"}, headers={"accept-language": "en"})
    assert "mot de passe" in mails(sandbox)[-1]["subject"].lower()


def test_a_link_from_before_somebody_became_an_administrator_sets_no_password(client, sandbox):
    zoe = make_user(email="zoe@example.test", password=PASSWORD)
    client.post(reverse("account_reset_password"), {"email": zoe.email})
    link = link_in(mails(sandbox)[-1])
    User.objects.filter(pk=zoe.pk).update(role="admin")
    page = client.get(link, follow=True)
    assert client.post(page.request["PATH_INFO"], {"password1": "Another-Horse-8", "password2": "Another-Horse-8"}).status_code == 200
    zoe.refresh_from_db()
    assert zoe.check_password(PASSWORD)
