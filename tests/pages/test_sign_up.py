"""From the sign-up form to the first page, by the links in the mails."""

import re

import pytest
from django.test import Client

from accounts.models import User
from tests.accounts.people import PASSWORD, make_user

pytestmark = pytest.mark.django_db


def _link(message) -> str:
    return re.search(r"http://[^/]+(/\S+)", message.body)[1]


def _html(message) -> str:
    return message.alternatives[0][0]


@pytest.mark.parametrize(("language", "subject"), [("en", "Welcome to Aaperture"), ("fr", "Bienvenue sur Aaperture")])
def test_sign_up_mail_confirm_and_in(client, mailoutbox, language, subject):
    client.cookies["language"] = language
    response = client.post("/accounts/signup/", {"name": "Camille", "email": "camille@example.test", "password1": PASSWORD}, follow=True)
    assert response.redirect_chain[-1][0] == "/accounts/confirm-email/"
    [message] = mailoutbox
    assert message.subject.startswith(subject)
    assert _link(message) in _html(message)
    page = client.get(_link(message))
    assert "camille@example.test" in page.content.decode()
    client.post(_link(message))
    assert User.objects.get(email="camille@example.test").emailaddress_set.get().verified


def test_a_link_followed_twice_says_where_to_look(client, mailoutbox):
    client.post("/accounts/signup/", {"name": "Camille", "email": "camille@example.test", "password1": PASSWORD})
    link = _link(mailoutbox[0])
    client.post(link)
    assert "Sign in: if the address still needs to be confirmed" in Client().get(link).content.decode()
    assert 'href="/accounts/email/">E-mail settings' in client.get(link).content.decode()


def test_signing_up_twice_looks_the_same_and_tells_the_owner_by_mail(client, mailoutbox):
    make_user(email="camille@example.test")
    response = client.post("/accounts/signup/", {"email": "camille@example.test", "password1": PASSWORD}, follow=True)
    assert response.redirect_chain[-1][0] == "/accounts/confirm-email/"
    [message] = mailoutbox
    assert message.subject == "You already have an account"


def test_a_forgotten_password_is_replaced_by_the_link_in_the_mail(client, mailoutbox):
    make_user(email="camille@example.test", password=PASSWORD)
    client.post("/accounts/password/reset/", {"email": "camille@example.test"})
    [message] = mailoutbox
    page = client.get(_link(message), follow=True)
    assert "Choose a new password" in page.content.decode()
    done = client.post(page.request["PATH_INFO"], {"password1": "Other-Horse-88", "password2": "Other-Horse-88"}, follow=True)
    assert "Your password is changed" in done.content.decode()
    assert mailoutbox[-1].subject == "Your password has been reset"
    assert User.objects.get(email="camille@example.test").check_password("Other-Horse-88")


def test_asking_for_an_unknown_address_says_the_same_and_writes_there(client, mailoutbox):
    response = client.post("/accounts/password/reset/", {"email": "nobody@example.test"}, follow=True)
    assert "If there is an account for that address" in response.content.decode()
    assert [message.subject for message in mailoutbox] in ([], ["There is no account for this address"])
