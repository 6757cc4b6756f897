"""A seal's head and its signature: what anybody needs to check the chain, and nothing that touches the database.

`head` is the SHA-256 of the text that `statement()` gives, `proof` the Ed25519 signature of `b"aaperture audit head\\n" + head`.
"""

import json
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any, Self
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from audit.models import AuditSeal
from audit.seal.rows import Mark
from vault import ring

FIRST_HEAD = bytes(32)
PURPOSE = b"aaperture|audit seal|v1"
HEAD_PREFIX, PAPER_PREFIX = b"aaperture audit head\n", b"aaperture audit archive\n"
RESTORE_PREFIX = b"aaperture audit restore\n"


def signing_key(kid: str) -> Ed25519PrivateKey:
    """Made from a master key of the ring; whoever cannot read the ring cannot sign."""
    return Ed25519PrivateKey.from_private_bytes(HKDF(SHA256(), 32, salt=None, info=PURPOSE).derive(ring.master_key(kid)))


def current_key() -> Ed25519PrivateKey:
    return signing_key(ring.current_kid())


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def trusted_keys() -> frozenset[bytes]:
    """The public keys that this instance's ring stands for, newest first in use."""
    return frozenset(public_bytes(signing_key(kid)) for kid, _secret in settings.ENCRYPTION_KEYS)


def key_id(public_key: bytes) -> str:
    return sha256(public_key).hexdigest()[:16]


def sign(key: Ed25519PrivateKey, prefix: bytes, digest: bytes) -> bytes:
    return key.sign(prefix + digest)


def is_signed(public_key: bytes, prefix: bytes, digest: bytes, proof: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(proof, prefix + digest)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(slots=True)
class Seal:
    """A seal as it is chained, whether it comes from the database, a file of heads or an archive."""

    number: int
    epoch: int
    month: date
    first: Mark
    last: Mark
    count: int
    discordant: int
    doubt: bool
    rows_hash: bytes
    leaves_hash: bytes
    previous_head: bytes
    sealed_at: datetime
    head: bytes = b""
    public_key: bytes = b""
    proof: bytes = b""

    @classmethod
    def of(cls, row: AuditSeal) -> Self:
        binary = ("rows_hash", "leaves_hash", "previous_head", "head", "public_key", "proof")
        plain = ("number", "epoch", "month", "count", "discordant", "doubt", "sealed_at")
        values: dict[str, Any] = {name: bytes(getattr(row, name)) for name in binary}
        values |= {name: getattr(row, name) for name in plain}
        return cls(first=Mark(row.from_tx, row.from_id), last=Mark(row.to_tx, row.to_id), **values)

    def stored(self) -> AuditSeal:
        same = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in {"first", "last"}}
        marks = {"from_tx": self.first.tx, "from_id": self.first.id, "to_tx": self.last.tx, "to_id": self.last.id}
        return AuditSeal(**same, **marks)

    def statement(self) -> dict[str, Any]:
        """What the head is computed over; the order of the keys is alphabetical, instants are UTC with microseconds."""
        return {
            "count": self.count,
            "discordant": self.discordant,
            "doubt": self.doubt,
            "epoch": self.epoch,
            "from": [self.first.tx, str(self.first.id)],
            "leaves": self.leaves_hash.hex(),
            "month": f"{self.month:%Y-%m}",
            "number": self.number,
            "previous": self.previous_head.hex(),
            "rows": self.rows_hash.hex(),
            "sealed_at": self.sealed_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "to": [self.last.tx, str(self.last.id)],
            "v": 1,
        }

    def computed_head(self) -> bytes:
        return sha256(as_text(self.statement()).encode()).digest()

    def seal_with(self, key: Ed25519PrivateKey) -> Self:
        self.head = self.computed_head()
        self.public_key, self.proof = public_bytes(key), sign(key, HEAD_PREFIX, self.head)
        return self

    def is_genuine(self) -> bool:
        """Whether the head fits the seal and the signature fits the head; whose key that is, is another question."""
        return self.head == self.computed_head() and is_signed(self.public_key, HEAD_PREFIX, self.head, self.proof)

    def published(self) -> dict[str, Any]:
        """One line of a file of heads: enough to check the seal without the database."""
        return {**self.statement(), "head": self.head.hex(), "public_key": self.public_key.hex(), "proof": self.proof.hex()}

    @classmethod
    def from_published(cls, said: dict[str, Any]) -> Self:
        """Raises ValueError, KeyError or TypeError for what is no such line."""
        return cls(
            **{name: int(said[name]) for name in ("number", "epoch", "count", "discordant")},
            doubt=bool(said["doubt"]),
            month=date.fromisoformat(f"{said['month']}-01"),
            first=Mark(int(said["from"][0]), UUID(said["from"][1])),
            last=Mark(int(said["to"][0]), UUID(said["to"][1])),
            rows_hash=bytes.fromhex(said["rows"]),
            leaves_hash=bytes.fromhex(said["leaves"]),
            previous_head=bytes.fromhex(said["previous"]),
            sealed_at=datetime.fromisoformat(said["sealed_at"]),
            head=bytes.fromhex(said["head"]),
            public_key=bytes.fromhex(said["public_key"]),
            proof=bytes.fromhex(said["proof"]),
        )


def as_text(statement: dict[str, Any]) -> str:
    return json.dumps(statement, sort_keys=True, separators=(",", ":"))
