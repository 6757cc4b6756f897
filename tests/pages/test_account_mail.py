"""Every account mail, in both languages: complete, without a raw placeholder, and the same link in text and HTML."""

from pathlib import Path

import pytest
from django.template.loader import render_to_string
from django.utils import timezone, translation

from accounts.models import User
from tests.pages.look import LANGUAGES

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
ALLAUTH = sorted(str(path.relative_to(TEMPLATES)).removesuffix("_message.txt") for path in TEMPLATES.glob("*/email/*_message.txt"))
OWN = sorted(str(path.relative_to(TEMPLATES)).removesuffix(".subject.txt") for path in TEMPLATES.glob("emails/*.subject.txt"))
LINK = "https://studio.example/do?a=1&b=2"


def _context() -> dict[str, object]:
    links = dict.fromkeys(("url", "activate_url", "password_reset_url", "signup_url"), LINK)
    addresses = dict.fromkeys(("email", "deleted_email", "from_email", "to_email", "account"), "camille@example.test")
    where = {"timestamp": timezone.now(), "ip": "203.0.113.9", "user_agent": "Firefox <b>", "name": "Camille & Co", "left": 3}
    return {"user": User(email="camille@example.test"), "name": "Camille & Co", **links, **addresses, **where}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [*ALLAUTH, *OWN])
def test_a_mail_has_subject_text_and_html(name, language):
    own = name in OWN
    with translation.override(language):
        subject = render_to_string(f"{name}.subject.txt" if own else f"{name}_subject.txt", _context()).strip()
        text = render_to_string(f"{name}.txt" if own else f"{name}_message.txt", _context())
        html = render_to_string(f"{name}.html" if own else f"{name}_message.html", _context())
    assert subject
    assert "\n" not in subject
    assert "&amp;" not in text
    assert "Firefox <b>" not in html
    assert f'lang="{language}"' in html
    assert (LINK in text) == ("https://studio.example/do?a=1&amp;b=2" in html)
    assert "{{" not in text + html


def test_there_are_mails():
    assert len(ALLAUTH) >= 18
    assert OWN
