"""The contract template a studio may start from, in both languages. It becomes the studio's own text, and is no legal advice."""

from functools import cache
from pathlib import Path

from django.utils.translation import gettext_lazy as _

NAME = _("Photography contract")
LANGUAGES = ("en", "fr")
HERE = Path(__file__).parent / "texts"


@cache
def text_in(language: str) -> str:
    return (HERE / f"photography_contract.{language}.md").read_text()
