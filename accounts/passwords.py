"""How passwords are stored and what they must be."""

from difflib import SequenceMatcher
from typing import Any

from django.contrib.auth.hashers import BCryptSHA256PasswordHasher
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

SHORTEST, LONGEST = 8, 128


class BCryptSHA256TwelveRounds(BCryptSHA256PasswordHasher):
    """bcrypt over SHA-256, so that nothing after byte 72 is cut off; cost 12."""

    rounds = 12


class LengthValidator:
    def validate(self, password: str, user: Any = None) -> None:
        if not SHORTEST <= len(password) <= LONGEST:
            raise ValidationError(self.get_help_text(), code="password_length")

    def get_help_text(self) -> str:
        return _("Use 8 to 128 characters; 12 or more are safer.")


class CharacterClassesValidator:
    def validate(self, password: str, user: Any = None) -> None:
        classes = (str.isupper, str.islower, str.isdigit)
        if not all(any(test(character) for character in password) for test in classes):
            raise ValidationError(self.get_help_text(), code="password_classes")

    def get_help_text(self) -> str:
        return _("Use at least one upper-case letter, one lower-case letter and one digit.")


class ContextWordsValidator:
    """Refuses passwords made of the person's own name or address, or of the product's name."""

    def validate(self, password: str, user: Any = None) -> None:
        words = ["aaperture"]
        if user is not None:
            words += [*user.email.lower().replace("@", ".").split("."), *user.name.lower().split(), user.email.lower()]
        plain = password.lower()
        for word in words:
            if len(word) >= 4 and SequenceMatcher(a=plain, b=word).quick_ratio() >= 0.7 and word in plain:
                raise ValidationError(self.get_help_text(), code="password_context")

    def get_help_text(self) -> str:
        return _("Do not use your name or your e-mail address.")
