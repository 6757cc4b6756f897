"""`manage.py classify` prints one JSON line per mail, needs no database and stores nothing."""

import io
import json
import sys

import pytest
from django.core.management import call_command

KEYS = {"file", "label", "confidence", "company", "role", "reasons"}
MAIL = (
    b"From: Northloop Careers <jobs@northloop.example>\nSubject: Your application\n\n"
    b"Thank you for applying for the position of Web Developer. We have received your application.\n"
)


def lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_file_gives_one_line(tmp_path, capsys):
    path = tmp_path / "mail.eml"
    path.write_bytes(MAIL)
    call_command("classify", str(path))
    (line,) = lines(capsys)
    assert line.keys() == KEYS
    assert (line["file"], line["label"], line["company"], line["role"]) == (
        str(path),
        "application_confirmation",
        "Northloop",
        "Web Developer",
    )
    assert 0 <= line["confidence"] <= 1 and line["reasons"]


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_without_a_file_the_mail_comes_from_standard_input(arguments, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MAIL)))
    call_command("classify", *arguments)
    assert lines(capsys)[0]["label"] == "application_confirmation"


def test_an_unreadable_file_is_told_and_the_others_are_read(tmp_path, capsys):
    good, bad = tmp_path / "good.eml", tmp_path / "bad.eml"
    good.write_bytes(MAIL)
    bad.write_bytes(b"%PDF-1.7")
    with pytest.raises(SystemExit) as stopped:
        call_command("classify", str(bad), str(tmp_path / "none.eml"), str(good))
    assert stopped.value.code == 1
    found = lines(capsys)
    assert [line["label"] for line in found] == [None, None, "application_confirmation"]
    assert found[0]["error"] and found[1]["error"] and found[2].keys() == KEYS
