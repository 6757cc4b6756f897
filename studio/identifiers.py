"""Checking numbers: of phones, of companies, for VAT."""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from stdnum.be import vat as belgian
from stdnum.eu import vat as european
from stdnum.exceptions import ValidationError as NotValid
from stdnum.fr import siren, siret

PHONE = re.compile(r"[+(]?[\d][\d\s().\-/]{3,36}")
EUROPEAN = frozenset({*(code.upper() for code in european.MEMBER_STATES), "EL", "XI"})


def vat_number(text: str) -> str:
    """The number without spaces and dots. Raises ValidationError for a European one whose check digits do not fit."""
    number = "".join(character for character in text.upper() if character.isalnum())
    if number[:2] in EUROPEAN and number[:2] != "XI":
        try:
            return str(european.validate(number))
        except NotValid:
            raise ValidationError(_("That is no VAT number of this country. Check it against a letter or an invoice of theirs.")) from None
    return number


def company_number(text: str, country: str) -> str:
    """A SIREN, SIRET or BCE number without spaces; those of other countries as they are. Raises ValidationError."""
    number = " ".join(text.split())
    try:
        if country == "FR" and number:
            bare = number.replace(" ", "")
            return str(siret.validate(bare) if len(bare) > 9 else siren.validate(bare))
        if country == "BE" and number:
            return str(belgian.validate(number))
    except NotValid:
        raise ValidationError(_("That is no company number of this country.")) from None
    return number


def phone(text: str) -> str:
    """As it was written. Raises ValidationError for what nobody can dial."""
    if text and not PHONE.fullmatch(text):
        raise ValidationError(_("A phone number has digits, spaces and a + before the country’s."))
    return text
