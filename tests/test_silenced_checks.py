"""Whoever silences a checker says beside it why: a line without a reason is one that nobody looks at again."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SILENCED = re.compile(r"#\s*(?:noqa|type:\s*ignore|nosec|pragma:\s*no cover)\b.*")
CODES = re.compile(
    r"#?\s*(?:noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?|type:\s*ignore(?:\[[\w, -]+\])?|nosec(?:\s+B\d+)*|pragma:\s*no cover)"
)


def lacks_reason(line: str) -> bool:
    """Whether it silences something and says fewer than two words about it."""
    found = SILENCED.search(line)
    return found is not None and len(re.findall(r"[^\W\d_]+", CODES.sub("", found[0]))) < 2


def test_every_line_that_silences_a_checker_says_why() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    ours = [path for path in listed if not path.startswith(("tests/", "bench/")) and (ROOT / path).exists()]
    lines = [(path, n, line) for path in ours for n, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1)]
    assert len(lines) > 10_000
    assert [f"{path}:{n}" for path, n, line in lines if lacks_reason(line)] == []


@pytest.mark.parametrize(
    ("line", "lacks"),
    [
        ("x = 1  # noqa: E402", True), ("x = 1  # noqa", True), ("x = y  # type: ignore[arg-type]", True), ("x = 1  # nosec B104", True),
        ("x = y  # type: ignore[arg-type]  # noqa: E402", True), ("if x:  # pragma: no cover", True), ("x = 1  # noqa: E402 - late", True),
        ("x = 1  # noqa: E402 - after the path is set", False), ("x = y  # type: ignore[misc, arg-type]  # three of them", False),
        ("x = 1  # a note", False),
    ],
)  # fmt: skip
def test_what_is_a_reason(line: str, lacks: bool) -> None:
    assert lacks_reason(line) is lacks
