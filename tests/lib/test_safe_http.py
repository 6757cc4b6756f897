"""Hosts that users name (SSRF): whatever is private is refused with one message after one time, and nothing is sent there."""

import gzip
import re
import socket
import time
import tracemalloc
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from aaperture.lib import safe_http
from aaperture.lib.safe_http import UnsafeAddress, ask, fetch
from tests.integrations.feed import serving

ONE_MESSAGE = r"^This address cannot be reached from here\.$"
LOOPBACK = [
    "127.0.0.1", "localhost", "localhost.", "LOCALHOST", "127.1", "127.0.1", "127.000.000.001", "2130706433", "0x7f.1", "0x7f000001",
    "017700000001", "0177.0.0.1", "0177.0.0.0x1", "127.0.0.1.", "127.8.8.8", "0.0.0.0", "0", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "①②⑦.⓪.⓪.①", "127。0。0。1", "%31%32%37.0.0.1",
]  # fmt: skip
PRIVATE = [
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]", "[fec0::1]", "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]", "[::ffff:10.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[2002:a00:1::]", "2852039166", "0xa9fea9fe",
    "0251.0376.0251.0376", "168.63.129.16", "100.100.100.200", "192.0.0.192", "198.18.0.1", "192.88.99.1",
    "224.0.0.1", "240.0.0.1", "255.255.255.255", "[ff02::1]", "[100::1]", "[2001:db8::1]",
]  # fmt: skip
FORMS = [
    "http://example.com/", "https://user:pw@example.com/", "https://user@127.0.0.1/", "https://example.com:22/", "https://example.com:0/",
    "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1/", "https://", "https:///x", "//example.com/", "https://[::1/", "",
]  # fmt: skip
NAMES = ["metadata.google.internal", "instance-data", "intranet", "rebound.example.com", "router.example.com"]


@pytest.fixture
def at_once(monkeypatch):
    """Refusals that do not wait for others: what time they take has a test of its own."""
    monkeypatch.setattr(safe_http, "REACH", safe_http.Reach(patience=0.0))


@pytest.fixture
def connected(monkeypatch):
    """Every address that anything tries to connect to."""
    tried, connect = [], socket.socket.connect

    def note(self, address):
        if self.family != socket.AF_UNIX:
            tried.append(address[0])
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", note)
    return tried


def names(monkeypatch, *answers):
    """What the resolver says, one answer after the other, the last for ever; how often it was asked."""
    asked = []

    def getaddrinfo(host, port, *_args, **_kwargs):
        if re.fullmatch(r"[\d.]+|[\da-f:.]*:[\da-f:.]*", host):  # as any resolver: an address is itself
            addresses = [host]
        else:
            addresses = answers[min(len(asked), len(answers) - 1)]
            asked.append(host)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        families = [(socket.AF_INET6 if ":" in one else socket.AF_INET, one) for one in addresses]
        return [(family, socket.SOCK_STREAM, 6, "", (one, port)) for family, one in families]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("host", LOOPBACK + PRIVATE)
def test_an_address_of_ours_is_refused_however_it_is_written(at_once, connected, host):
    with pytest.raises(UnsafeAddress, match=ONE_MESSAGE) as caught:
        fetch(f"https://{host}/")
    assert caught.value.__cause__ is None and not connected


@pytest.mark.parametrize("url", FORMS)
def test_an_address_of_another_form_is_refused_before_anybody_is_asked(connected, monkeypatch, url):
    asked = names(monkeypatch, ["93.184.216.34"])
    with pytest.raises(UnsafeAddress, match=ONE_MESSAGE):
        fetch(url)
    assert not asked and not connected


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "10.1.2.3", "::1", "::ffff:10.0.0.1", "::7f00:1", "fec0::1", "fd00:ec2::254"]
)
def test_a_name_that_leads_to_us_is_refused(at_once, connected, monkeypatch, address):
    for host in NAMES:
        names(monkeypatch, [address])
        with pytest.raises(UnsafeAddress, match=ONE_MESSAGE):
            fetch(f"https://{host}/")
    assert not connected


def test_a_name_is_resolved_once_and_what_it_says_later_is_not_asked_for(at_once, connected, monkeypatch):
    asked = names(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    with pytest.raises(UnsafeAddress):
        fetch("https://rebound.example.com/")
    assert asked == ["rebound.example.com"] and set(connected) == {"93.184.216.34"}  # tests reach nobody there
    connected.clear()
    names(monkeypatch, ["93.184.216.34", "127.0.0.1", "10.0.0.1"])
    with pytest.raises(UnsafeAddress):
        fetch("https://both.example.com/")
    assert set(connected) == {"93.184.216.34"}
    connected.clear()
    names(monkeypatch, ["127.0.0.1", "93.184.216.34"])
    with pytest.raises(UnsafeAddress):
        fetch("https://both.example.com/")
    assert not connected


def test_a_kept_session_looks_again_at_every_address(at_once, connected, monkeypatch):
    asked = names(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    with safe_http.session() as http:
        for _ in range(2):
            with pytest.raises(UnsafeAddress):
                ask("https://rebound.example.com/", http=http)
    assert len(asked) == 2 and set(connected) == {"93.184.216.34"}


@pytest.mark.parametrize(("public", "address"), [(True, "93.184.216.34"), (True, "2606:4700::1111"), (False, "::2"), (False, "2002::1")])
def test_which_addresses_are_public(public, address):
    assert safe_http.is_public(ip_address(address)) is public


@contextmanager
def a_server(tmp_path, monkeypatch):
    with serving(tmp_path) as (feed, reach):
        monkeypatch.setattr(safe_http, "REACH", reach)
        yield feed


def test_redirects_are_answers_and_lead_nowhere(tmp_path, monkeypatch, connected):
    with a_server(tmp_path, monkeypatch) as feed:
        feed.pages["/"], feed.statuses = {}, [301, 302]
        assert ask(f"{feed.url}/").status == 301
        with pytest.raises(UnsafeAddress, match=ONE_MESSAGE):
            fetch(f"{feed.url}/")
        assert [path for path, _headers in feed.asked] == ["/", "/"] and set(connected) == {"127.0.0.1"}


def test_what_unpacks_to_more_than_an_answer_may_have_is_given_up_in_little_memory(tmp_path, monkeypatch):
    with a_server(tmp_path, monkeypatch) as feed:
        for encoding, body in (
            ("gzip", gzip.compress(b"\0" * 40_000_000)),
            ("gzip, gzip", gzip.compress(gzip.compress(b"\0" * 40_000_000))),
        ):
            feed.pages["/"], feed.headers = body, {"Content-Encoding": encoding}
            tracemalloc.start()
            with pytest.raises(UnsafeAddress, match=ONE_MESSAGE):
                fetch(f"{feed.url}/")
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 4 * safe_http.LONGEST_ANSWER, encoding


def test_a_refusal_takes_the_same_time_whatever_the_reason(monkeypatch):
    """Private, unknown, or public and unreachable: each takes the whole of the patience and hardly more."""
    patience, times = 0.15, {}
    monkeypatch.setattr(safe_http, "REACH", safe_http.Reach(patience=patience))
    for reason, answer in {"private": ["10.0.0.1"], "loopback": ["127.0.0.1"], "unknown": [], "unreachable": ["93.184.216.34"]}.items():
        names(monkeypatch, answer)
        begun = time.monotonic()
        with pytest.raises(UnsafeAddress, match=ONE_MESSAGE):
            fetch("https://probed.example.com/")
        times[reason] = time.monotonic() - begun
    assert all(seconds >= patience for seconds in times.values()), times
    assert safe_http.Reach().patience > safe_http.CONNECT  # a host that does not answer is not told from one that is private
