"""A passkey in software: what a browser would answer to a site's options (no attestation, user verified)."""

import hashlib
import json
import os
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData

PRESENT, VERIFIED, HAS_CREDENTIAL = 0x01, 0x04, 0x40


class Passkey:
    def __init__(self, *, host: str = "testserver") -> None:
        self.host = host
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = os.urandom(16)
        self.checks = VERIFIED  # a finger, a face or a code; without it a touch will do
        self.user = ""

    def register(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to `navigator.credentials.create()`."""
        self.user = options["publicKey"]["user"]["id"]
        public = ES256.from_cryptography_key(self.key.public_key())
        credential = AttestedCredentialData.create(Aaguid.NONE, self.id, public)
        data = AuthenticatorData.create(self._site(), PRESENT | VERIFIED | HAS_CREDENTIAL, 0, credential)
        attestation = AttestationObject.create("none", data, {})
        client = self._client_data("webauthn.create", options)
        return self._answer(clientDataJSON=websafe_encode(client), attestationObject=websafe_encode(attestation))

    def authenticate(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to `navigator.credentials.get()`."""
        data = AuthenticatorData.create(self._site(), PRESENT | self.checks, 1)
        client = self._client_data("webauthn.get", options)
        signature = self.key.sign(bytes(data) + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            clientDataJSON=websafe_encode(client),
            authenticatorData=websafe_encode(data),
            signature=websafe_encode(signature),
            userHandle=self.user,
        )

    def _site(self) -> bytes:
        return hashlib.sha256(self.host.encode()).digest()

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": options["publicKey"]["challenge"], "origin": f"http://{self.host}"}).encode()

    def _answer(self, **response: str) -> dict[str, Any]:
        name = websafe_encode(self.id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}
