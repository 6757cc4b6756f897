"""Every stored field has a class, a purpose and a retention, and the document says the same (R-001, R-017, R-233)."""

import pytest
from django.core.management import CommandError, call_command

from operations import data_classification as registry
from vault.fields import SealedTextField


def test_every_field_has_a_class_and_a_purpose_and_every_entry_has_a_field():
    assert registry.faults() == []


def test_a_field_without_an_entry_and_an_entry_without_a_field_are_named(monkeypatch):
    known = {label: table for label, table in registry.tables().items() if label != "accounts.Consent"}
    gone = registry.Table("accounts.Gone", "Gone", "account", {"id": registry.Field("id", "internal", "names the row")})
    monkeypatch.setattr(registry, "tables", lambda: known | {"accounts.Gone": gone})
    found = registry.faults()
    assert "accounts.Consent.purpose has no class and purpose" in found
    assert "accounts.Gone.id is classified, but there is no such field" in found
    with pytest.raises(CommandError, match=r"accounts\.Consent\.purpose"):
        call_command("data_classification", check=True)


@pytest.mark.parametrize("line", ["email", "private, the address", "personal"])
def test_a_line_that_says_no_class_or_no_purpose_is_refused(line):
    with pytest.raises(ValueError, match=r"accounts\.X"):
        registry._table("accounts.X", {"_": "account, X", "email": line})


def test_what_is_sealed_is_classed_as_sensitive_or_secret():
    from django.apps import apps

    sealed = [field for model in apps.get_models() for field in model._meta.local_fields if isinstance(field, SealedTextField)]
    assert len(sealed) > 5
    for field in sealed:
        level = registry.tables()[field.model._meta.label].fields[field.name].level
        assert level in {"sensitive", "secret"}, field


def test_the_document_is_current():
    call_command("data_classification", check=True)
