"""Hosts that users name: whatever is private is refused with one message, before anything is sent."""

import pytest

from aaperture.lib.safe_http import UnsafeAddress, fetch


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "https://127.0.0.1/", "https://localhost/", "https://127.1/", "https://0.0.0.0/", "https://2130706433/",
        "https://0x7f.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://169.254.169.254/",
        "https://10.0.0.1/", "https://192.168.1.1/", "https://172.16.0.1/", "https://100.64.0.1/", "https://[fe80::1]/", "https://[fd00::1]/",
        "https://user:pw@example.com/", "https://example.com:22/", "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1/", "https://",
    ],
)  # fmt: skip
def test_an_unsafe_address_is_refused_with_one_generic_message(url):
    with pytest.raises(UnsafeAddress, match=r"^This address cannot be reached from here\.$") as caught:
        fetch(url)
    assert caught.value.__cause__ is None
