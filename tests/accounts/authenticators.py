"""What a phone and a browser's passkeys do, for tests."""

import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from accounts import second_factor
from accounts.models import User


def code_now(secret: str) -> str:
    """What an authenticator app with this key shows at this moment."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def give_codes(user: User) -> list[str]:
    with second_factor.sealed_for(user):
        return RecoveryCodes.activate(user).get_unused_codes()


def give_passkey(user: User, name: str = "Phone") -> Authenticator:
    """A row like that of an enrolled passkey; nobody can sign in with it."""
    credential = {"clientExtensionResults": {"credProps": {"rk": True}}}
    return Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={"name": name, "credential": credential})


def plug_in(page: Any, *, verifies: bool = True) -> None:
    """A fingerprint reader in this page's browser, which recognises its owner or does not."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
