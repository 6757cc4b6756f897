"""Rings of master keys, as if the process had been started with another one."""

import secrets
from base64 import b64encode
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from aaperture.lib.env import parse_key_ring
from vault import ring, services
from vault.services import open_sealed, person, seal

PLACE = "t|c|1"


def new_entry(kid: str) -> str:
    return f"{kid}:{b64encode(secrets.token_bytes(32)).decode()}"


def use(settings: Any, text: str) -> None:
    settings.ENCRYPTION_KEYS = parse_key_ring(text)[0]
    forget()


def forget() -> None:
    ring.forget_keys()
    services.opened.forget()


def people(number: int) -> dict[UUID, bytes]:
    """Sealed values, one for each of so many people."""
    owners = [uuid4() for _ in range(number)]
    with transaction.atomic():
        return {owner: seal(owner.bytes, person(owner), PLACE) for owner in owners}


def all_open(sealed: dict[UUID, bytes]) -> bool:
    services.opened.forget()
    return all(open_sealed(value, person(owner), PLACE) == owner.bytes for owner, value in sealed.items())
