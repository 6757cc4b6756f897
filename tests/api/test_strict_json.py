"""Input at its exact bounds, and every fault named (R-129, R-130)."""

import json

import pytest

from aaperture.lib.api.parsers import MOST_BYTES, parse
from accounts.models import User
from tests.accounts.people import make_user
from tests.api.caller import Caller, with_token
from tests.stopwatch import cpu_seconds

pytestmark = pytest.mark.django_db
LOGIN = "/api/auth/login"


def code_of(body: bytes) -> str:
    answer = Caller().post(LOGIN, body)
    assert answer.status_code in {400, 413} and set(answer.body) >= {"detail", "code", "request_id"}
    return answer.body["code"]


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def members(number: int) -> bytes:
    return json.dumps({str(n): 0 for n in range(number)}).encode()


@pytest.mark.parametrize(
    ("within", "beyond", "code"),
    [
        (nested(10), nested(11), "too_deep"),
        (b'{"a":' * 10 + b"1" + b"}" * 10, b'{"a":' * 11 + b"1" + b"}" * 11, "too_deep"),
        (json.dumps("x" * 10_000).encode(), json.dumps("x" * 10_001).encode(), "string_too_long"),
        (json.dumps({"x" * 10_000: 1}).encode(), json.dumps({"x" * 10_001: 1}).encode(), "string_too_long"),
        (json.dumps([0] * 10_000).encode(), json.dumps([0] * 10_001).encode(), "too_many_items"),
        (members(10_000), members(10_001), "too_many_items"),
        (b'"' + b"\\ud83d\\ude00" + b'"', b'"\\ud83d"', "not_text"),
        (b'"\\u0001"', b'"\\u0000"', "not_text"),
        (b'{"a": 1, "b": 1}', b'{"a": 1, "a": 1}', "duplicate_key"),
        (b"1e300", b"1e400", "not_a_number"),
        (b"[1]", b"[NaN]", "not_a_number"),
        (b"[1]", b"[-Infinity]", "not_a_number"),
        (b"1" * 4000, b"1" * 5000, "not_json"),
        (b'"\xc3\xa9"', b'"\xe9"', "not_utf8"),
        (b"{}", b"\xef\xbb\xbf{}", "not_json"),
        (b"{}", b"{}{}", "not_json"),
        (b"{}", '{"a": 1}'.encode("utf-16"), "not_utf8"),
        (b"[]", b"[", "not_json"),
        (b"[]", b"[,]", "not_json"),
        (b"{}", b"{'a': 1}", "not_json"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_bound_itself_is_kept(within, beyond, code):
    parse(within)  # no fault: whatever the view thinks of it
    assert code_of(beyond) == code


def test_brackets_inside_strings_are_no_depth():
    assert parse(json.dumps({"a": "[" * 50 + '\\"{' * 50}).encode())


def test_a_body_of_a_megabyte_is_read_and_one_byte_more_is_413():
    fill = b'{"email": "a", "password": "b"' + b" " * (MOST_BYTES - 31) + b"}"
    assert len(fill) == MOST_BYTES and Caller().post(LOGIN, fill).status_code == 401
    assert code_of(fill + b" ") == "too_large"


HOSTILE = [b"[" * MOST_BYTES, b'"\\' * (MOST_BYTES // 2), b'"' * MOST_BYTES, b'{"a":' * 100_000, b'["\\"' * 200_000]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bodies_are_refused_quickly(body):
    assert cpu_seconds(lambda: code_of(body[:MOST_BYTES]), below=1.5) < 1.5


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "text/xml"])
def test_only_json_is_read(client, kind):
    answer = client.post(LOGIN, b"a=b", content_type=kind)
    assert answer.status_code == 415 and answer.json()["code"] == "unsupported_media_type"


def test_a_field_that_nobody_asked_for_is_refused():
    user = make_user()
    answer = with_token(user).patch("/api/v1/me", {"name": "Sam", "role": "admin", "is_active": False})
    assert answer.status_code == 400 and set(answer.body["errors"]) == {"role", "is_active"}
    assert User.objects.get(pk=user.pk).name != "Sam"


OUT_OF_BOUNDS = ["page=0", "page=-1", "page=x", "page=1e9", "page_size=0", "page_size=101", "ordering=email", "ordering=-x"]
UNKNOWN = ["stage=nowhere", "stage=", "since=yesterday", "since=2026-01-01", "kind=x", "stage__in=new", "owner=1", "q=a&q=b"]


@pytest.mark.parametrize("query", OUT_OF_BOUNDS)
def test_a_list_takes_no_value_out_of_bounds(query):
    answer = with_token(make_user()).get(f"/api/v1/opportunities?{query}")
    assert answer.status_code == 400 and list(answer.body["errors"]) == [query.partition("=")[0]]


@pytest.mark.parametrize("query", UNKNOWN)
def test_a_filter_takes_only_what_it_knows(query):
    assert with_token(make_user()).get(f"/api/v1/opportunities?{query}").status_code == 400


def test_a_page_behind_the_last_is_404():
    assert with_token(make_user()).get("/api/v1/opportunities?page=2").status_code == 404


@pytest.mark.parametrize("accept", ["text/html", "*/*", "application/xml", ""])
@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/api/no/such/place", 404), ("GET", "/api/", 404), ("DELETE", "/api/v1/me", 405)]
)
def test_errors_are_json_whatever_is_asked_for(method, path, status, accept):
    answer = with_token(make_user()).send(method, path, headers={"Accept": accept})
    assert answer.status_code == status and set(answer.body) == {"detail", "code", "request_id"}
    assert answer.headers["Content-Type"].startswith("application/json")


def test_a_crash_says_nothing_but_an_id(monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("canary-internal-detail")

    monkeypatch.setattr("accounts.api.me.MeSerializer.to_representation", broken)
    answer = with_token(make_user()).get("/api/v1/me", headers={"Accept": "text/html"})
    assert answer.status_code == 500 and answer.body["code"] == "server_error" and b"canary" not in answer.content
    assert answer.body["request_id"] == answer.headers["X-Request-ID"]
