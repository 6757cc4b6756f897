"""A mail made to keep the parser busy: it is cut short, not waited for."""

import pytest

from aaperture.lib.mime import mail_from_bytes
from tests.stopwatch import cpu_seconds

HTML = b"From: a@example.test\nContent-Type: text/html\n\n"


@pytest.mark.parametrize(
    "raw",
    [
        HTML + b"<a href=" + b" " * 300_000 + b">x</a>",
        HTML + b"<p style='max-height:0" + b" " * 300_000 + b"x'>x",
        HTML + b"<" * 300_000,
        b"From: a@example.test\nContent-Type: text/plain; format=flowed\n\n" + b"ab \n" * 150_000,
        b"From: a@example.test\n" + b"Content-Type: multipart/mixed; boundary=x\n\n--x\n" * 50_000,
    ],
    ids=["spaces in a link", "spaces in a style", "open brackets", "one flowed paragraph", "nesting"],
)
def test_a_hostile_mail_is_read_in_a_moment(raw):
    read: list[str] = []
    assert cpu_seconds(lambda: read.append(mail_from_bytes(raw).sender), below=2) < 2
    assert set(read) == {"a@example.test"}
