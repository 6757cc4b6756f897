"""Which signals belong together: by thread, then by reference, then by company *and* role; never by company alone."""

import re
from datetime import datetime, timedelta
from email.utils import parseaddr

from aaperture.lib.search import searchable
from tracker.stages import CLOSED, Kind
from vault.services import keyed_hash

# Words that say what a company or a role is legally, not which one it is.
NOISE = re.compile(r"\b(?:inc|ltd|llc|plc|gmbh|sas|sarl|sa|nv|bv|srl|h f|f h|m f|m w d|hf|fh|the|le|la|les|l)\b")
REOPENS = frozenset({"application_confirmation", "inbound_request", "client_enquiry", "call_for_entries", "referral_action_required"})
SAME_STORY = timedelta(days=120)
AUTOMATIC = re.compile(r"no-?reply|ne-?pas-?repondre|notification|do-?not-?reply|mailer|bounce", re.IGNORECASE)


def group_key(company: str, role: str) -> str:
    """One key for one role at one company, however they are written; empty unless both are known."""
    parts = [" ".join(NOISE.sub(" ", searchable(text)).split()) for text in (company, role)]
    return "|".join(parts)[:200] if all(parts) else ""


def reference_hashes(references: tuple[str, ...]) -> list[str]:
    """Keyed hashes of message ids: enough to find a conversation again, nothing to read."""
    return [keyed_hash("message reference", reference.lower()).hex()[:32] for reference in references]


def continues(*, stage: str, last_signal_at: datetime | None, label: str, received_at: datetime) -> bool:
    """Whether a signal with the same company and role goes on with an opportunity, or begins another one."""
    if stage in CLOSED and label in REOPENS:
        return False
    return last_signal_at is None or abs(received_at - last_signal_at) <= SAME_STORY


def contact_of(sender: str) -> tuple[str, str]:
    """Name and address of a person who can be answered; empty for machines."""
    name, address = parseaddr(sender)
    if "@" not in address or AUTOMATIC.search(address):
        return "", ""
    return name[:200], address[:254]


def may_have_contact(kind: str) -> bool:
    return kind in (Kind.ENQUIRY, Kind.APPLICATION)
