"""Which other sites may call the API from a browser, and that cookies never help them (R-143, R-144)."""

import pytest

from accounts.models import User
from tests.accounts.people import make_user
from tests.api.caller import Caller, with_token

pytestmark = pytest.mark.django_db
ME = "/api/v1/me"
GOOD = "https://desk.example.test"
OTHERS = [
    "https://evil.example", "null", "", "https://desk.example.test.evil.example", "https://evil-desk.example.test",
    "https://desk.example.test:8443", "http://desk.example.test", "https://desk.example.tes", "https://DESK.example.test",
    "https://desk.example.test/", "https://desk.example.test@evil.example", "*",
]  # fmt: skip
PREFLIGHT = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture(autouse=True)
def _origins(settings):
    settings.CORS_ORIGINS = [GOOD]


def allowed(answer) -> list[str]:
    return sorted(name for name in answer.headers if name.lower().startswith("access-control-"))


def test_a_listed_origin_may_read_the_answer():
    answer = with_token(make_user()).get(ME, headers={"Origin": GOOD})
    assert answer.status_code == 200 and answer.headers["Access-Control-Allow-Origin"] == GOOD and "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_listed_origin_may_ask_before():
    answer = Caller().send("OPTIONS", ME, headers={"Origin": GOOD} | PREFLIGHT)
    assert answer.status_code == 204 and answer.headers["Access-Control-Allow-Origin"] == GOOD
    assert "DELETE" in answer.headers["Access-Control-Allow-Methods"] and "authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", OTHERS)
def test_any_other_origin_gets_nothing(origin):
    caller = with_token(make_user())
    for answer in (caller.get(ME, headers={"Origin": origin}), caller.send("OPTIONS", ME, headers={"Origin": origin} | PREFLIGHT)):
        assert allowed(answer) == [] and "Origin" in answer.headers["Vary"]


def test_cors_not_permissive_in_production(settings):
    """By default no other origin is listed at all; `*` keeps production from starting (tests/test_settings.py)."""
    settings.CORS_ORIGINS = []
    assert allowed(with_token(make_user()).get(ME, headers={"Origin": GOOD})) == []


def test_pages_are_for_no_other_origin(client):
    assert allowed(client.get("/privacy/", headers={"origin": GOOD})) == []


def test_even_a_listed_origin_cannot_ride_on_a_cookie(client):
    user = make_user()
    client.force_login(user)
    answer = client.patch(ME, b'{"name": "Mallory"}', content_type="application/json", headers={"origin": GOOD})
    assert answer.status_code == 401 and User.objects.get(pk=user.pk).name != "Mallory"
