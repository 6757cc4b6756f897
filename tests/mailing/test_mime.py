"""Whatever is put into a mail comes out of it, in the eyes of two parsers: Python's and the one of an SMTP server's library."""

import email
import email.policy
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailing.mime import Address, Attachment, Mail, MailRefused, as_bytes

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
# names and subjects come from forms, which strip them
printable = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=120).map(str.strip)
bodies = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=600)


def mail(**changes):
    given = {
        "sender": Address("studio@example.test", "Studio Lumière"),
        "to": Address("anna@example.test", "Anna"),
        "subject": "Your quote",
        "text": "Hello",
        "message_id": "<1.a@example.test>",
        "date": NOW,
    }
    return Mail(**{**given, **changes})


def parsed(message):
    return email.message_from_bytes(message, policy=email.policy.default)


def in_full(message, header):
    """A display name. Not by policy.default, which puts a space between encoded words of a phrase (until Python 3.13)."""
    phrase, _ = parseaddr(email.message_from_bytes(message)[header])
    return str(make_header(decode_header(phrase)))


def body(part):
    return part.get_content().replace("\r\n", "\n").removesuffix("\n")


@given(printable, printable, printable)
@settings(max_examples=60)
def test_subject_and_names_arrive_as_they_were_written(subject, name, reply):
    message = as_bytes(mail(subject=subject, to=Address("anna@example.test", name), reply_to=Address("c@example.test", reply)))
    found = parsed(message)
    assert found["subject"] == subject
    assert [address.addr_spec for address in found["to"].addresses] == ["anna@example.test"]
    assert found["from"].addresses[0].display_name == "Studio Lumière"
    assert (in_full(message, "To"), in_full(message, "Reply-To")) == (name, reply)
    assert all(len(line) <= 78 for line in message.split(b"\r\n\r\n")[0].split(b"\r\n"))


@given(bodies, bodies.filter(bool))
@settings(max_examples=60)
def test_text_and_html_arrive_as_they_were_written(text, html):
    message = as_bytes(mail(text=text, html=html))
    found = parsed(message)
    plain, rich = found.get_body(["plain"]), found.get_body(["html"])
    assert body(plain) == text.removesuffix("\n") and body(rich) == html.removesuffix("\n")
    assert message.replace(b"\r\n", b"").count(b"\n") == 0
    assert all(len(line) <= 78 for line in message.split(b"\r\n"))


@given(st.binary(max_size=600), printable.filter(bool))
@settings(max_examples=60)
def test_attachments_arrive_byte_by_byte(content, name):
    message = as_bytes(mail(html="<p>Hi</p>", attachments=(Attachment(name, "application/pdf", content),)))
    found = parsed(message)
    [attachment] = found.iter_attachments()
    assert attachment.get_content() == content
    assert attachment.get_filename() == name
    assert attachment.get_content_type() == "application/pdf"
    assert body(found.get_body(["plain"])) == "Hello"
    assert all(len(line) <= 998 for line in message.split(b"\r\n"))


def test_the_name_of_a_file_and_of_a_domain_may_be_of_any_letters():
    message = as_bytes(mail(to=Address("info@büro.example"), attachments=(Attachment("名" * 150, "application/pdf", b""),)))
    [attachment] = parsed(message).iter_attachments()
    assert attachment.get_filename() == "名" * 150 and max(map(len, message.split(b"\r\n"))) < 80
    assert [address.addr_spec for address in parsed(message)["to"].addresses] == ["info@xn--bro-hoa.example"]


def test_the_legacy_parser_reads_the_same():
    message = as_bytes(mail(subject="Devis « Été »", html="<p>Été</p>", attachments=(Attachment("été.pdf", "application/pdf", b"%PDF"),)))
    found = email.message_from_bytes(message)  # compat32: another header parser, other defects
    assert not found.defects
    assert str(make_header(decode_header(found["subject"]))) == "Devis « Été »"
    assert [part.get_content_type() for part in found.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf",
    ]  # fmt: skip
    assert found.get_payload(1).get_payload(decode=True) == b"%PDF"


REFUSED = {
    "a header of one's own in the subject": {"subject": "Hi\r\nBcc: all@example.test"},
    "a line break in a name": {"to": Address("anna@example.test", "Anna\nBcc: x@example.test")},
    "a line separator in a name": {"to": Address("anna@example.test", "Anna\u2028")},
    "two addresses": {"to": Address("a@example.test, b@example.test")},
    "a command in the address": {"to": Address("a@example.test> SIZE=1")},
    "an address without a domain": {"sender": Address("studio")},
    "an address outside ASCII": {"to": Address("anné@example.test")},
    "a domain whose name in ASCII is another's": {"to": Address("anna@straße.example")},
    "a line break in a file's name": {"attachments": (Attachment("a\r\nb.pdf", "application/pdf", b""),)},
    "a parameter in the type": {"attachments": (Attachment("a.pdf", "text/html; charset=x", b""),)},
    "a Message-ID of two lines": {"message_id": "<a@b>\r\nX: y"},
    "half a character": {"text": "\ud800"},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_what_could_add_a_header_is_refused_by_name(changes):
    with pytest.raises(MailRefused) as refused:
        as_bytes(mail(**changes))
    assert refused.value.field in {"subject", "to", "sender", "attachment", "message_id", "text"}
    assert "example.test" not in str(refused.value)


def test_a_mail_shows_no_text_in_a_log():
    assert "Hello" not in repr(mail())
