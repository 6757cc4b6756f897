"""What stands in a backup's stream: members one after another (a table's rows, an object's bytes), each with its checksum, compressed.

A record is a letter, four bytes of length, and that many bytes: M begins a member (JSON), D is a piece of it, E ends it (JSON:
size, SHA-256, rows), Z ends the stream. Encryption (`frames`) lies round it, so every byte read here has been verified.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from operations.backups.frames import BackupDamaged, Sink

HEAD = struct.Struct(">cI")
LEVEL = 3
PIECE = 1024 * 1024


class Packer:
    """Writes members; `close` ends the stream."""

    def __init__(self, sink: Sink) -> None:
        self.sink, self.packed = sink, zlib.compressobj(LEVEL)

    def member(self, about: dict[str, Any], pieces: Iterable[tuple[bytes, int]]) -> dict[str, Any]:
        """One member; `pieces` are bytes, each with how many rows it has. Returns size, SHA-256 and rows."""
        self._record(b"M", json.dumps(about).encode())
        digest, size, rows = hashlib.sha256(), 0, 0
        for piece, count in pieces:
            self._record(b"D", piece)
            digest.update(piece)
            size, rows = size + len(piece), rows + count
        facts = {"size": size, "sha256": digest.hexdigest(), "rows": rows}
        self._record(b"E", json.dumps(facts).encode())
        return facts

    def close(self) -> None:
        self._record(b"Z", b"")
        self.sink.write(self.packed.flush())

    def _record(self, letter: bytes, content: bytes) -> None:
        self.sink.write(self.packed.compress(HEAD.pack(letter, len(content)) + content))


class _Unpacked:
    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.blocks, self.plain, self.buffer = blocks, zlib.decompressobj(), bytearray()

    def read(self, size: int) -> bytes:
        while len(self.buffer) < size:
            if self.plain.unconsumed_tail:
                self.buffer += self.plain.decompress(self.plain.unconsumed_tail, PIECE)
                continue
            block = next(self.blocks, None)
            if block is None:
                raise BackupDamaged("its stream ends too early")
            self.buffer += self.plain.decompress(block, PIECE)
        found = bytes(self.buffer[:size])
        del self.buffer[:size]
        return found

    def exhaust(self) -> None:
        """Read on to the end, so that the last frame is seen."""
        for _ in self.blocks:
            pass


class Member:
    """One member as it is read. `pieces` must be read to their end before the next member."""

    def __init__(self, source: _Unpacked, about: dict[str, Any]) -> None:
        self.source, self.about = source, about
        self.facts: dict[str, Any] = {}

    def pieces(self) -> Iterator[bytes]:
        """Raises BackupDamaged at the end if they are not what was written."""
        digest, size = hashlib.sha256(), 0
        while True:
            letter, content = _record(self.source)
            if letter == b"E":
                break
            if letter != b"D":
                raise BackupDamaged("its stream is not one of ours")
            digest.update(content)
            size += len(content)
            yield content
        self.facts = json.loads(content)
        if (self.facts["size"], self.facts["sha256"]) != (size, digest.hexdigest()):
            raise BackupDamaged(f"the checksum of {self.about.get('table', 'an object')} does not fit")


def members(blocks: Iterator[bytes]) -> Iterator[Member]:
    """Raises BackupDamaged."""
    source = _Unpacked(blocks)
    while True:
        letter, content = _record(source)
        if letter == b"Z":
            source.exhaust()
            return
        if letter != b"M":
            raise BackupDamaged("its stream is not one of ours")
        yield Member(source, json.loads(content))


def _record(source: _Unpacked) -> tuple[bytes, bytes]:
    letter, length = HEAD.unpack(source.read(HEAD.size))
    if length > 64 * PIECE:
        raise BackupDamaged("its stream is not one of ours")
    return letter, source.read(length)
