"""A restore from a backup, as the heads outside are told of it.

The seals made after the backup are gone from the database and stand outside for ever. A signed line in each place says up to which
seal the log was restored; what the place knows beyond it is then given up: named by every verification, and no cut tail.
"""

import json
import logging
from datetime import UTC
from hashlib import sha256

from django.utils import timezone

from audit.seal import chain, heads
from audit.seal.chain import Seal
from audit.seal.findings import Report
from audit.seal.outside import Outside

logger = logging.getLogger(__name__)


def tell(last: Seal | None) -> list[str]:
    """Write the line wherever more is known than `last`; returns the places. Doing it twice writes it once. Raises `places.FAILURES`."""
    number, head = (last.number, last.head) if last else (0, b"")
    told = []
    for address in heads.addresses():
        known = Outside(address, chain.trusted_keys(), Report())
        if known.last > number:
            heads.append_restore(address, _signed(number, head, given_up_to=known.last))
            told.append(address)
    if told:
        logger.warning("activity log restored", extra={"to": number, "places": len(told)})
    return told


def _signed(number: int, head: bytes, *, given_up_to: int) -> bytes:
    key = chain.current_key()
    at = timezone.now().astimezone(UTC).isoformat(timespec="seconds")
    said = {"at": at, "given_up_to": given_up_to, "head": head.hex(), "restored_to": number, "v": 1}
    proof = chain.sign(key, chain.RESTORE_PREFIX, sha256(chain.as_text(said).encode()).digest())
    return json.dumps({**said, "public_key": chain.public_bytes(key).hex(), "proof": proof.hex()}).encode() + b"\n"
