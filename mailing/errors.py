"""Why a mail did not go out, as codes in the table, and in words that say what to do. Never with credentials."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

WORDS: dict[str, Any] = {
    "connect": _("The mail server does not answer. Check its name and port; we keep trying."),
    "address_refused": _("The mail server’s address is not a public one. Enter the name your provider gives."),
    "tls": _("The mail server’s certificate is not valid for its name, or it offers no encryption. Check the name and the port."),
    "auth": _("The mail server refuses the user name or the password. Enter them again, then send what is on hold."),
    "greeting": _("The mail server turns us away for now. We keep trying."),
    "sender": _("The mail server does not let you send from this address. Check the address under “Sending account”."),
    "recipient": _("The recipient’s address was refused. Check it with your client, correct the contact, and send again."),
    "recipient_later": _("The recipient’s server asks to come back later. We keep trying."),
    "content": _("The message was refused by the mail server. Send it in other words, or without the attachment."),
    "content_later": _("The mail server asks to come back later. We keep trying."),
    "dropped": _("The connection broke after the message was handed over: it may have arrived. Ask your client or look for its "
                 "Message-ID in your provider’s log, then say whether it did."),
    "lost": _("We were interrupted while the message was handed over: it may have arrived. Ask your client or look for its "
              "Message-ID in your provider’s log, then say whether it did."),
    "not_arrived": _("Somebody noted that it did not arrive. Send or write it again, or cancel it."),
    "restored": _("This instance was restored from a backup after the message was due: it may have gone out before. Ask your client, "
                  "then say whether it arrived."),
    "gave_up": _("The mail server did not take it within a day. Check the server and the address, then send again."),
    "text_gone": _("This message was written by hand and interrupted; we do not keep such texts. Write it again."),
    "template": _("The template has a placeholder that has no value here. Correct the template, then send again."),
    "document": _("The document cannot go out as it is: it lacks something, or is no longer open. Look at it, then send again."),
    "files_gone": _("The files that you added are no longer there; we keep them a day at most. Write the message again and add them."),
    "files_later": _("The files that you added cannot be read just now. We keep trying."),
    "unwritable": _("The address or the subject holds a character that no e-mail can. Correct it, then send again."),
}  # fmt: skip


# of a test message, which nobody tries again by itself
TESTED: dict[str, Any] = {
    "connect": _("The mail server does not answer. Check its name and port, then test again."),
    "auth": _("The mail server refuses the user name or the password. Enter them again."),
    "greeting": _("The mail server turns us away for now. Test again in a few minutes."),
    "recipient_later": _("The mail server asks to come back later. Test again in a few minutes."),
    "content_later": _("The mail server asks to come back later. Test again in a few minutes."),
}


# of a message written by hand, which nobody tries again by itself either
_LATER = _("The mail server asks to come back later. Send it again in a few minutes.")
BY_HAND: dict[str, Any] = {
    "connect": _("The mail server does not answer. Send it again in a few minutes."),
    "auth": TESTED["auth"],
    "greeting": _LATER,
    "recipient_later": _LATER,
    "content_later": _LATER,
}


def in_words(code: str, *, first: Mapping[str, Any] = WORDS) -> str:
    """`first`: the words that are looked through before the usual ones."""
    return str(first.get(code, "") or WORDS.get(code, "")) or code
