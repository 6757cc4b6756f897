"""`/settings/api-keys/`: made after a step-up, shown once, revoked; and the API's own page."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import ApiKey
from accounts.services import api_keys
from audit.models import Activity
from tests.accounts.people import make_user, step_up
from tests.pages.look import LANGUAGES, look_at, overflow, speak

LIST = "/settings/api-keys/"


@pytest.fixture
def keys(transactional_db):
    user = make_user(email="camille@example.test")
    api_keys.create(user, name="Nightly export", scopes=["read"], days=90)
    soon = api_keys.create(user, name="Dashboard in the studio's kitchen, which shows what came in", scopes=["read", "write"], days=3)[0]
    ApiKey.objects.filter(pk=soon.pk).update(last_used_at=timezone.now())
    gone = api_keys.create(user, name="Old laptop", scopes=["read"], days=30)[0]
    api_keys.revoke(gone, actor=user)
    return user


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_are_sound_in_every_look(page, axe, live_server, login, keys, client, language):
    keys.language = language
    keys.save(update_fields=["language"])
    login(keys)
    step_up(client, keys)
    key = ApiKey.objects.get(name="Nightly export")
    urls = [LIST, f"{LIST}create/", f"{LIST}{key.pk}/revoke/", f"{LIST}{key.pk}/secret/"]
    assert [look_at(page, axe, live_server.url + url) for url in urls] == [[]] * 4


def test_without_keys_the_page_says_what_they_are_for(page, axe, live_server, login, transactional_db):
    login(make_user())
    assert look_at(page, axe, live_server.url + LIST) == []
    expect(page.get_by_role("heading", name="No keys yet")).to_be_visible()


def test_on_a_phone_the_tab_of_the_page_is_in_sight(page, live_server, login, transactional_db):
    login(make_user())
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(live_server.url + LIST)
    tab = page.get_by_role("navigation", name="Settings").get_by_role("link", name="API keys")
    expect(tab).to_be_in_viewport(ratio=1)
    assert page.evaluate("scrollY") == 0


def test_a_key_is_made_shown_once_and_revoked(page, axe, live_server, login, transactional_db, client):
    user = make_user(password="Correct-Horse-7")
    login(user)
    page.goto(live_server.url + LIST)
    page.get_by_role("link", name="Make a key").click()
    page.get_by_role("textbox", name="Password").fill("Correct-Horse-7")  # step-up comes first
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("What is it for?").fill("Nightly export")
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("#secret-text")).to_have_text(re.compile(r"^\s*\S{43}\s*$"))
    raw = page.locator("#key-text").inner_text()
    assert api_keys.find(raw).name == "Nightly export"
    assert axe() == []
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        assert overflow(page) == ""
    page.get_by_role("link", name="I have stored it").click()
    page.wait_for_url("**" + LIST)
    expect(page.get_by_role("cell", name="Nightly export", exact=True)).to_be_visible()
    assert raw not in page.content()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_text("The key is revoked.")).to_be_visible()
    assert api_keys.find(raw) is None
    assert Activity.objects.filter(action__in=["api_key.created", "api_key.revoked"]).count() == 2


@pytest.mark.django_db
def test_the_page_of_a_new_key_loaded_again_makes_no_second_one(client):
    user = make_user()
    client.force_login(user)
    step_up(client, user)
    form = {"name": "Nightly export", "scopes": "read", "days": 30}
    assert client.post(f"{LIST}create/", form).status_code == 201
    again = client.post(f"{LIST}create/", form)
    assert again.status_code == 200 and "You have a key of this name." in again.content.decode()
    api_keys.revoke(ApiKey.objects.get(), actor=user)
    assert client.post(f"{LIST}create/", form).status_code == 201


@pytest.mark.django_db
def test_a_strangers_key_does_not_exist(client):
    key = api_keys.create(make_user(), name="Theirs", scopes=["read"], days=30)[0]
    user = make_user()
    client.force_login(user)
    step_up(client, user)
    for name in ("settings_api_key_revoke", "settings_api_key_secret"):
        for method in (client.get, client.post):
            assert method(reverse(name, kwargs={"pk": key.pk})).status_code == 404
    assert ApiKey.objects.get().revoked_at is None
    assert key.expires_at > timezone.now() + timedelta(days=29)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_apis_own_page_is_sound_in_every_look(page, axe, live_server, transactional_db, language):
    speak(page, live_server.url, language)
    assert look_at(page, axe, live_server.url + "/docs") == []
    page.locator("summary").nth(3).click()
    expect(page.locator("details[open] table").first).to_be_visible()
    assert axe() == []
