"""UUID version 7 (RFC 9562): a millisecond clock followed by random bits, so that keys sort by age."""

import os
import time
import uuid

VERSION_AND_VARIANT = 0x7 << 76 | 0b10 << 62
RANDOM = ((1 << 12) - 1) << 64 | (1 << 62) - 1  # the bits that are left to chance


def uuid7() -> uuid.UUID:
    milliseconds = time.time_ns() // 1_000_000 & (1 << 48) - 1
    return uuid.UUID(int=milliseconds << 80 | VERSION_AND_VARIANT | int.from_bytes(os.urandom(10)) & RANDOM)
