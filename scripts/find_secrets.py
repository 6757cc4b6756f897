#!/usr/bin/env python3
"""Looks for secrets in the files that git would commit: known shapes of keys, and random-looking values given to telling names.

Prints file, line and kind of each find, never the value, and exits 1. A false alarm is silenced on its own line with
`not-a-secret: why`, so that the reason stands where the next reader looks.
"""

import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHAPES = {
    "private key": r"-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP |ENCRYPTED )?PRIVATE KEY",
    "Google API key": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "Google client secret": r"\bGOCSPX-[0-9A-Za-z_-]{20,}\b",
    "Google token": r"\bya29\.[0-9A-Za-z_-]{30,}|\b1//0[0-9A-Za-z_-]{30,}",
    "Stripe key": r"\b(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{16,}\b|\bwhsec_[0-9A-Za-z]{24,}\b",
    "AWS key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": r"\bgh[pousr]_[0-9A-Za-z]{36,}\b|\bgithub_pat_[0-9A-Za-z_]{40,}\b",
    "Slack token": r"\bxox[abprs]-[0-9A-Za-z-]{10,}\b",
    "JSON web token": r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}",
    "address with a password": r"\b(?:postgres(?:ql)?|rediss?|smtps?|amqps?)://[^\s:/@'\"{}<>$]*:(?P<value>[^\s@'\"{}<>$]{6,})@",
}
NAMED = re.compile(
    r"(?i)\b[a-z_]*(?:secret|password|passwd|token|api_?key|private_?key|encryption_?keys?)[a-z_]*\b[\"']?\s*[:=]\s*[\"']?(?P<value>[A-Za-z0-9+/=_\-:.]{20,})"
)
NEVER_SECRET = re.compile(
    r"(?i)sandbox|canary|hunter2|dummy|example|change.?me|n0tAReal|placeholder|tests?-only|not.?a.?secret|^[a-z_.\-:/]+$|^[A-Z_]+$"
)
NOT_TEXT = {".woff2", ".png", ".ico", ".jpg", ".mo", ".pdf", ".zip", ".gz"}
# Hashes by the thousand, other people's published code, and mail that nobody ever sent.
LEFT_OUT = re.compile(r"^(?:requirements[^/]*\.txt|package-lock\.json|(?:static|tests)/vendor/.*|tests/corpus/.*|sandbox/mailbox/.*)$")


def committed_files() -> Iterator[Path]:
    """Tracked files and new ones that are not ignored."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in done.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and path.suffix not in NOT_TEXT and not LEFT_OUT.match(name):
            yield path


def looks_random(value: str) -> bool:
    """Random text has many different characters of several kinds; names, paths and words have not."""
    kinds = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    counts = Counter(value)
    entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    return kinds >= 2 and entropy > 3.6


def find(text: str) -> Iterator[tuple[int, str]]:
    """Line numbers and kinds of what looks like a secret in `text`."""
    for number, line in enumerate(text.splitlines(), start=1):
        if "not-a-secret:" in line:
            continue
        for kind, shape in SHAPES.items():
            match = re.search(shape, line)
            if match and not NEVER_SECRET.search(match.groupdict().get("value") or ""):
                yield number, kind
        match = NAMED.search(line)
        if match and not NEVER_SECRET.search(match["value"]) and looks_random(match["value"]):
            yield number, "random value of a telling name"


def main() -> int:
    found = 0
    names = {path.relative_to(ROOT).as_posix() for path in committed_files()}
    for name in sorted(names):
        if re.search(r"(^|/)\.env($|\.(?!example$))|\.(pem|key|p12|pfx)$", name):
            print(f"{name}: a file of this name may not be committed")
            found += 1
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        for number, kind in find(text):
            print(f"{name}:{number}: {kind}")
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
