"""Signs id_tokens, properly or with one defect that a client must notice."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

if TYPE_CHECKING:
    from sandbox.world import Account

DEFECTS = {
    "bad_signature": "signed by a key that is not in the JWKS, under a known kid",
    "unknown_key": "signed by a key whose kid is not in the JWKS",
    "alg_none": "not signed at all",
    "wrong_audience": "made for another client",
    "wrong_issuer": "made by another issuer",
    "wrong_nonce": "answers another request",
    "no_nonce": "carries no nonce",
    "expired": "expired an hour ago",
    "email_unverified": "email_verified is false",
    "no_email": "carries no e-mail address",
}


@dataclass
class Defect:
    kind: str
    claims: Mapping[str, Any] = field(default_factory=dict)
    remaining: int | None = None  # None: until cleared


class IdTokenIssuer:
    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key = new_key()
        self.defect: Defect | None = None

    @property
    def kid(self) -> str:
        numbers = self.key.public_key().public_numbers()
        return hashlib.sha256(str(numbers.n).encode()).hexdigest()[:40]

    def rotate(self) -> None:
        self.key = new_key()

    def jwks(self) -> dict[str, Any]:
        public = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "RS256"}]}

    def take_defect(self) -> Defect:
        defect = self.defect
        if defect is None:
            return Defect("")
        if defect.remaining is not None:
            defect.remaining -= 1
            if defect.remaining <= 0:
                self.defect = None
        return defect

    def sign(self, account: Account, *, client_id: str, access_token: str, nonce: str, scopes: frozenset[str]) -> str:
        """Return the id_token of a token response; a defect that was asked for is put in here."""
        defect = self.take_defect()
        claims = self.claims(account, client_id=client_id, access_token=access_token, nonce=nonce, scopes=scopes)
        spoil(claims, defect.kind)
        claims.update(defect.claims)
        if defect.kind == "alg_none":
            return jwt.encode(claims, "", algorithm="none")
        key = new_key() if defect.kind in ("bad_signature", "unknown_key") else self.key
        kid = "0" * 40 if defect.kind == "unknown_key" else self.kid
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})

    def claims(self, account: Account, *, client_id: str, access_token: str, nonce: str, scopes: frozenset[str]) -> dict[str, Any]:
        now = int(time.time())
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "azp": client_id,
            "aud": client_id,
            "sub": account.subject,
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
            "iat": now,
            "exp": now + 3600,
        }
        if nonce:
            claims["nonce"] = nonce
        claims.update(personal_claims(account, scopes))
        return claims


def personal_claims(account: Account, scopes: frozenset[str]) -> dict[str, Any]:
    """What `email` and `profile` let a client see, in id_token and userinfo alike."""
    claims: dict[str, Any] = {}
    if "https://www.googleapis.com/auth/userinfo.email" in scopes:
        claims |= {"email": account.email, "email_verified": True}
    if "https://www.googleapis.com/auth/userinfo.profile" in scopes:
        claims |= {"name": account.name, "given_name": account.given_name, "family_name": account.family_name}
    return claims


def spoil(claims: dict[str, Any], kind: str) -> None:
    if kind == "wrong_audience":
        claims["aud"] = claims["azp"] = "somebody-else.apps.example"
    elif kind == "wrong_issuer":
        claims["iss"] = "https://issuer.example"
    elif kind == "wrong_nonce":
        claims["nonce"] = "the-nonce-of-another-request"
    elif kind == "no_nonce":
        claims.pop("nonce", None)
    elif kind == "expired":
        claims["iat"], claims["exp"] = claims["iat"] - 7200, claims["exp"] - 7200
    elif kind == "email_unverified":
        claims["email_verified"] = False
    elif kind == "no_email":
        claims.pop("email", None)
        claims.pop("email_verified", None)


def new_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)
