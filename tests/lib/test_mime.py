"""Mail as it arrives: any charset, any nesting, any damage; never an error but `UnreadableMail`, never a long wait."""

import base64
import contextlib
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aaperture.lib.html_text import html_to_text
from aaperture.lib.mime import Mail, UnreadableMail, mail_from_bytes, mail_from_gmail
from tests.stopwatch import cpu_seconds

FRENCH = "Bonjour Camille, l’été à Besançon coûte 20 € : ça vous dit ?"


def raw(head: str, body: bytes) -> bytes:
    return b"From: Ann <ann@studio.example>\nTo: camille@example.test\nSubject: Hello\n" + head.encode() + b"\n\n" + body


@pytest.mark.parametrize("charset", ["utf-8", "windows-1252", "utf-16", "utf-16-le", "utf-8-sig", "mac-roman"])
def test_text_is_read_in_its_charset(charset):
    mail = mail_from_bytes(
        raw(f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64", base64.b64encode(FRENCH.encode(charset)))
    )
    assert mail.text == FRENCH


@pytest.mark.parametrize(
    ("declared", "real"),
    [
        ("utf-8", "windows-1252"),
        ("iso-8859-1", "utf-8"),
        ("us-ascii", "utf-8"),
        ("us-ascii", "windows-1252"),
        ("no-such-charset", "utf-8"),
        ("iso-8859-1", "windows-1252"),
    ],
)
def test_a_mislabelled_charset_costs_nothing(declared, real):
    assert mail_from_bytes(raw(f"Content-Type: text/plain; charset={declared}", FRENCH.encode(real))).text == FRENCH


def test_japanese_with_escapes_is_read():
    assert mail_from_bytes(raw("Content-Type: text/plain; charset=iso-2022-jp", "写真家".encode("iso-2022-jp"))).text == "写真家"


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape", "punycode", "rot13", "hex", "zlib", "undefined", "idna", "mbcs"])
def test_codecs_that_are_no_charsets_are_never_used(charset):
    mail = mail_from_bytes(raw(f"Content-Type: text/plain; charset={charset}", b"+ADw-script+AD4- \\x41 plain"))
    assert mail.text == "+ADw-script+AD4- \\x41 plain"


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (b"=?utf-8?B?w4l0w6k=?=", "Été"),
        (b"=?utf-8?Q?=C3=89t=C3?= =?utf-8?Q?=A9?=", "Été"),
        (b"Re: =?iso-8859-1?q?devis_n=B0_4?= (urgent)", "Re: devis n° 4 (urgent)"),
        ("Été brut".encode(), "Été brut"),
        ("Été brut".encode("latin-1"), "Été brut"),
        (b"=?utf-8?Q?broken", "=?utf-8?Q?broken"),
        (b"=?nonsense?B?w4l0w6k=?=", "Été"),
        (b"folded\n over\n\tthree lines", "folded over three lines"),
    ],
)
def test_subjects_are_read_however_they_are_written(subject, expected):
    assert mail_from_bytes(b"From: a@b.example\nSubject: " + subject + b"\n\nhi").subject == expected


def test_recipients_are_split_at_the_right_commas():
    mail = mail_from_bytes(
        b'From: a@b.example\nTo: "Morel, Camille" <c@example.test>, =?utf-8?q?Ren=C3=A9?= <r@example.test>\nCc: x@example.test\n\nhi'
    )
    assert mail.recipients == ('"Morel, Camille" <c@example.test>', "René <r@example.test>", "x@example.test")


def test_of_two_versions_the_plain_one_is_read_unless_it_is_a_stand_in():
    message = EmailMessage()
    message["From"] = "a@b.example"
    message.set_content("The plain version says enough to be read by anybody.")
    message.add_alternative("<p>The rich version</p>", subtype="html")
    assert mail_from_bytes(message.as_bytes()).text == "The plain version says enough to be read by anybody."
    message = EmailMessage()
    message["From"] = "a@b.example"
    message.set_content("Your mail program does not support HTML.")
    message.add_alternative("<p>" + "Your interview is on Monday. " * 10 + "</p>", subtype="html")
    assert mail_from_bytes(message.as_bytes()).text.startswith("Your interview is on Monday.")


def test_html_becomes_what_a_reader_sees():
    text = html_to_text(
        "<head><title>t</title><style>p{color:red}</style></head><body><div style='display:none'>preheader</div>"
        "<p>Bonjour&nbsp;Camille,<br>choisissez&#x202F;: <a href='https://cal.example/camille?x=1'>un créneau</a></p>"
        "<script>alert(1)</script>"
        "<table style='font-size:0px'><tr><td>Mardi</td><td>10 h</td></tr></table><span hidden>no</span><blockquote>avant</blockquote>"
    )
    assert text == "Bonjour Camille,\nchoisissez : un créneau <https://cal.example/camille>\n\nMardi 10 h\n\n> avant"


def test_an_overflow_style_hides_nothing():
    assert html_to_text('<div style="overflow: hidden">shown</div><p>after') == "shown\n\nafter"


def test_flowed_lines_are_joined_and_the_signature_line_kept():
    body = b"A sentence that is \nflowed over \ntwo lines.\n\n-- \nAnn"
    assert (
        mail_from_bytes(raw("Content-Type: text/plain; format=flowed", body)).text
        == "A sentence that is flowed over two lines.\n\n-- \nAnn"
    )


def test_an_invitation_shows_what_when_and_where():
    event = b"BEGIN:VEVENT\nSUMMARY:Interview\\, round 2\nDTSTART;TZID=Europe/Paris:20261110T110000\nLOCATION:Lyon\nEND:VEVENT"
    body = b"BEGIN:VCALENDAR\nMETHOD:REQUEST\n" + event + b"\nEND:VCALENDAR"
    mail = mail_from_bytes(raw("Content-Type: text/calendar; method=REQUEST", body))
    assert (mail.headers["x-calendar-method"], mail.headers["x-calendar-summary"]) == ("REQUEST", "Interview, round 2")
    assert mail.headers["x-calendar-dtstart"] == "20261110T110000" and mail.headers["x-calendar-location"] == "Lyon"


def test_a_forwarded_message_is_read_and_an_attachment_only_named():
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "hr@firm.example", "Your application"
    inner.set_content("We are pleased to offer you the job.")
    outer = EmailMessage()
    outer["From"] = "me@example.test"
    outer.set_content("Look!")
    outer.add_attachment(inner)
    outer.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="offre d'été.pdf")
    mail = mail_from_bytes(outer.as_bytes())
    assert "Look!" in mail.text and "From: hr@firm.example" in mail.text and "offer you the job" in mail.text
    assert "offre d'été.pdf" in mail.headers["x-attachment-names"] and "%PDF" not in mail.text


@pytest.mark.parametrize("junk", [b"", b"\x00\x01\x02", b"%PDF-1.7 ...", b"just words\nand more words", b"{}", b"\xff\xfe" * 100])
def test_what_is_no_mail_is_refused(junk):
    with pytest.raises(UnreadableMail):
        mail_from_bytes(junk)


def gmail(*, text: bytes, mime: str = "text/plain", charset: str = "utf-8", labels: tuple[str, ...] = ("INBOX",)) -> dict:
    return {
        "id": "1",
        "labelIds": list(labels),
        "payload": {
            "mimeType": "multipart/mixed",
            "headers": [{"name": "From", "value": "Ann <ann@studio.example>"}, {"name": "Subject", "value": "Été"}],
            "body": {"size": 0},
            "parts": [
                {
                    "mimeType": mime,
                    "headers": [
                        {"name": "Content-Type", "value": f"{mime}; charset={charset}"},
                        {"name": "Content-Transfer-Encoding", "value": "quoted-printable"},
                    ],
                    "body": {"data": base64.urlsafe_b64encode(text).decode().rstrip("=")},
                },
                {"mimeType": "application/pdf", "filename": "cv.pdf", "headers": [], "body": {"attachmentId": "A1", "size": 9}},
            ],
        },
    }


def test_a_gmail_resource_is_read_like_the_bytes_it_was_made_of():
    mail = mail_from_gmail(gmail(text="L'été à Besançon".encode("latin-1"), charset="iso-8859-1"))
    assert mail.text == "L'été à Besançon"
    assert (mail.sender, mail.subject, mail.headers["x-attachment-names"]) == ("Ann <ann@studio.example>", "Été", "cv.pdf")
    assert mail_from_gmail(gmail(text=b"<p>a=3D</p>", mime="text/html")).text == "a=3D"  # Gmail has undone the transfer encoding


def test_mail_that_the_owner_sent_says_so():
    assert mail_from_gmail(gmail(text=b"hi", labels=("SENT",))).sent_by_owner
    assert not mail_from_gmail(gmail(text=b"hi")).sent_by_owner


@pytest.mark.parametrize(
    "resource", [{}, {"payload": None}, {"payload": {"headers": "x", "parts": 3}}, {"raw": "%%%"}, {"payload": {"headers": [{"name": 1}]}}]
)
def test_a_broken_gmail_resource_is_refused(resource):
    with pytest.raises(UnreadableMail):
        mail_from_gmail(resource)


NESTED = (
    b"From: a@b.example\n" + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(2_000)) + b"\nhello"
)
HOSTILE = {
    "angle brackets": raw("Content-Type: text/html", b"<" * 500_000),
    "open comments": raw("Content-Type: text/html", b"<!--" * 120_000),
    "open styles": raw("Content-Type: text/html", b"<style>" * 80_000),
    "long references": raw("Content-Type: text/html", b"&#" + b"9" * 400_000),
    "open links": raw("Content-Type: text/html", b"<a href=" * 70_000),
    "quote marks": raw("Content-Type: text/plain", b"\n>" * 200_000),
    "nested parts": NESTED,
    "encoded words": b"From: a@b.example\nSubject: " + b"=?a?q?" * 3_000 + b"\n\nx",
    "spaced words": b"From: a@b.example\nSubject: " + (b"=?utf-8?q?=41?=" + b" " * 199) * 90 + b"\n\nx",
    "parameters": b"From: a@b.example\nContent-Type: multipart/mixed" + b";boundary" * 2_000 + b"\n\nx",
    "many parts": raw("Content-Type: multipart/mixed; boundary=b", b"--b\n\nx\n" * 50_000),
    "many headers": b"From: a@b.example\n" + b"X-A: b\n" * 40_000 + b"\nx",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_no_mail_takes_long(case):
    mails: list[Mail] = []
    assert cpu_seconds(lambda: mails.append(mail_from_bytes(HOSTILE[case])), below=1.0) < 1.0
    assert len(mails[0].text) <= 100_000


MAILS = st.builds(
    lambda head, body, cut: (b"From: a@b.example\n" + head + b"\n\n" + body)[:cut],
    st.one_of(
        st.binary(max_size=300),
        st.sampled_from(
            [
                b"Content-Type: multipart/alternative; boundary=x",
                b"Content-Type: text/html; charset=utf-16",
                b"Content-Transfer-Encoding: base64",
            ]
        ),
    ),
    st.one_of(
        st.binary(max_size=2_000),
        st.sampled_from([b"--x\nContent-Type: text/html\n\n<p>a\n--x--", b"<a hidden style='x'><td>&amp", b"=C3=A9=\n=Z"]),
    ),
    st.integers(min_value=18, max_value=3_000),
)


@given(MAILS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_give_a_mail_or_are_unreadable(data):
    try:
        mail = mail_from_bytes(data)
    except UnreadableMail:
        return
    assert isinstance(mail, Mail) and "\x00" not in mail.text + mail.subject
    mail.text.encode("utf-8")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["headers", "parts", "body", "data", "name", "value", "mimeType"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_any_payload_gives_a_mail_or_is_unreadable(payload):
    with contextlib.suppress(UnreadableMail):
        mail_from_gmail({"payload": payload, "labelIds": payload})


@given(st.text(alphabet=st.sampled_from(list("<>/!-&;#\"'= abhrefstyl\n")), max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_markup_gives_text_without_tags_we_know(markup):
    assert "<style" not in html_to_text(markup + "</style>") or "<" in markup
