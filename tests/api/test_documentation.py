"""The API is described to machines and people, outside production only (R-146)."""

import pytest
from django.urls import get_resolver

from accounts.api.documentation import description
from tests.api.caller import Caller

pytestmark = pytest.mark.django_db


def test_the_description_names_every_address_of_the_api():
    names = [name for name in get_resolver().reverse_dict if isinstance(name, str)]
    assert names
    api = next(one for one in get_resolver().url_patterns if getattr(one, "namespace", "") == "api")
    described = description()["paths"]
    assert len(described) == len(api.url_patterns) - 1  # itself


def test_every_operation_says_what_it_can_answer():
    for path, methods in description()["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            answers = set(operation["responses"])
            assert operation["description"] and any(one.startswith("2") for one in answers), where
            assert {"400", "429"} <= answers, where
            if operation.get("security") and not path.startswith("/api/auth/"):
                assert {"401", "403"} <= answers, where
            if method != "get":
                assert {"413", "415"} <= answers, where


def test_the_page_reads_without_any_script(client):
    answer = client.get("/docs")
    text = answer.content.decode()
    assert answer.status_code == 200 and "/api/v1/opportunities" in text and "rotate-secret" in text
    assert Caller().get("/api/schema").body["openapi"].startswith("3.1")


def test_there_is_no_documentation_in_production(client, settings):
    settings.PRODUCTION = True
    assert client.get("/docs").status_code == 404
    assert Caller().get("/api/schema").status_code == 404
