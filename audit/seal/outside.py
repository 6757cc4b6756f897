"""Heads that were written outside, held compactly beside the chain in the database."""

from datetime import timedelta
from hashlib import sha256

from django.utils import timezone

from audit.models import AuditSeal
from audit.seal import chain, heads
from audit.seal.chain import Seal
from audit.seal.findings import Kind, Report
from audit.seal.places import FAILURES

HEAD = 32
BEHIND = timedelta(hours=1)  # a place is told within seconds


class Outside:
    """The heads of one place, by number: 32 bytes each, in one block of memory."""

    def __init__(self, address: str, trusted: frozenset[bytes], report: Report) -> None:
        self.address, self.trusted, self.report = address, trusted, report
        self.first = self.last = 0
        self.known = bytearray()
        self.is_readable = True
        self.restored_by: set[bytes] = set()  # keys that signed a restore
        try:
            self._read()
        except FileNotFoundError:
            if AuditSeal.objects.exists():  # before the first seal there is nothing to be there
                self._unreadable("nothing is there")
        except FAILURES as error:
            self._unreadable(type(error).__name__)

    def _unreadable(self, why: str) -> None:
        self.is_readable = False
        self.report.find(Kind.HEADS_UNREADABLE, f"{self.address}: {why}")

    def _read(self) -> None:
        for position, said in enumerate(heads.read(self.address), 1):
            if said and "restored_to" in said:
                self._give_up(position, said)
                continue
            try:
                number, head = int((said or {})["number"]), bytes.fromhex((said or {})["head"])
                if len(head) != HEAD or number < 1:
                    raise ValueError(number)
            except (KeyError, ValueError, TypeError):
                self._altered(f"entry {position} is not a head")
                continue
            if not self.first:
                self.first, self.last = number, number - 1
            if number > self.last + 1 or number < self.first:
                self._altered(f"seal {number} follows seal {self.last}")
                if number < self.first or number > self.last + 1_000_000:
                    continue
            self._note(number, head, said or {})

    def _note(self, number: int, head: bytes, said: dict) -> None:
        place = (number - self.first) * HEAD
        if number > self.last:
            self.known.extend(bytes((number - self.last) * HEAD))
            self.last = number
        elif any(self.known[place : place + HEAD]) and bytes(self.known[place : place + HEAD]) != head:
            self._altered(f"seal {number} has two different heads")
            if not self.is_ours(said):
                return
        self.known[place : place + HEAD] = head

    def _give_up(self, position: int, said: dict) -> None:
        """What stands here after the seal to which the log was restored counts no more; `check_restores` asks whose signature that is."""
        statement = {key: value for key, value in said.items() if key not in {"public_key", "proof"}}
        try:
            number, head = int(said["restored_to"]), bytes.fromhex(said["head"])
            key, proof = bytes.fromhex(said["public_key"]), bytes.fromhex(said["proof"])
        except (KeyError, ValueError, TypeError):
            self._altered(f"entry {position} is not a head")
            return
        digest = sha256(chain.as_text(statement).encode()).digest()
        fits = self.head_of(number) in {head, None}
        if not (fits and chain.is_signed(key, chain.RESTORE_PREFIX, digest, proof)):
            self._altered(f"entry {position} tells of a restore, and its signature does not fit")
            return
        self.restored_by.add(key)
        self.report.restores.append(
            f"Restored from a backup on {said['at']}: seals {number + 1}–{self.last}, which {self.address} has, were given up."
        )
        del self.known[max(number - self.first + 1, 0) * HEAD :]
        self.last = min(self.last, number)
        if not self.known:
            self.first = self.last = 0

    def is_ours(self, said: dict) -> bool:
        try:
            seal = Seal.from_published(said)
        except (KeyError, ValueError, TypeError, IndexError):
            return False
        return seal.public_key in self.trusted and seal.is_genuine()

    def head_of(self, number: int) -> bytes | None:
        if not self.first <= number <= self.last:
            return None
        place = (number - self.first) * HEAD
        head = bytes(self.known[place : place + HEAD])
        return head if any(head) else None

    def compare(self, seal: Seal) -> None:
        """Whether the database's head is the one that was written here."""
        outside = self.head_of(seal.number)
        if outside is not None and outside != seal.head:
            if self._said_by_us(seal.number):
                self.report.find(Kind.HEAD_REPLACED, f"{self.address} has another head, signed by us", seal.number)
            else:
                self._altered(f"the head of seal {seal.number} is not the database's and not signed by us")

    def check_end(self, last: int) -> None:
        """After the last seal of the database: nothing may go on outside."""
        if self.last > last:
            if self._said_by_us(self.last):
                self.report.find(Kind.TAIL_CUT, f"the database ends at seal {last}, {self.address} goes on to seal {self.last}", last)
            else:
                self._altered(f"it goes on to seal {self.last}, not signed by us; the database ends at seal {last}")
        elif self.is_readable:
            self._check_behind()

    def _check_behind(self) -> None:
        """Whether this place gets the heads at all: who keeps them from it can cut the tail later."""
        first = AuditSeal.objects.filter(number__gt=self.last).order_by("number").values_list("number", "sealed_at").first()
        if first and first[1] < timezone.now() - BEHIND:
            self.report.find(
                Kind.HEADS_LATE, f"made at {first[1]:%Y-%m-%d %H:%M}, and {self.address} has no head from this one on", first[0]
            )

    def check_restores(self, vouched: set[bytes]) -> None:
        """Keys of the ring, and older ones that a seal of the ring stands on."""
        for key in self.restored_by - vouched:
            self._altered(f"it tells of a restore signed by {chain.key_id(key)}, which is not our key")

    def _said_by_us(self, number: int) -> bool:
        return any(said is not None and said.get("number") == number and self.is_ours(said) for said in heads.read(self.address))

    def _altered(self, text: str) -> None:
        self.report.find(Kind.HEADS_ALTERED, f"{self.address}: {text}")
