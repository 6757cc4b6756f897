import pytest
from django.test import RequestFactory

from aaperture.lib.client_address import address_bucket, client_address


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("203.0.113.5", {}, "203.0.113.5"),
        ("203.0.113.5", {"X-Real-IP": "6.6.6.6"}, "203.0.113.5"),
        ("203.0.113.5", {"X-Forwarded-For": "6.6.6.6"}, "203.0.113.5"),
        ("10.0.0.2", {"X-Real-IP": "198.51.100.7", "X-Forwarded-For": "6.6.6.6"}, "198.51.100.7"),
        ("::ffff:10.0.0.2", {"X-Real-IP": "::ffff:198.51.100.7"}, "198.51.100.7"),
        ("10.0.0.2", {"X-Real-IP": "nonsense"}, "10.0.0.2"),
        ("fe80::1%eth0", {}, "fe80::1"),
        ("", {}, "0.0.0.0"),
    ],
)
def test_only_a_trusted_proxy_may_name_the_client(settings, peer, headers, expected):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=peer, headers=headers)) == expected


def test_an_ipv6_client_is_counted_by_its_network_and_an_ipv4_one_by_its_address():
    assert address_bucket("2001:db8:1:2:3::4") == "2001:db8:1:2::/64"
    assert address_bucket("::ffff:192.0.2.1") == address_bucket("192.0.2.1") == "192.0.2.1"
