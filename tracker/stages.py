"""Labels and stages as data: what each label is about, where it moves, what it asks for."""

from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Kind(TextChoices):
    ENQUIRY = "enquiry", _("Enquiry")
    APPLICATION = "application", _("Application")
    TENDER = "tender", _("Tender")


class Stage(TextChoices):
    NEW = "new", _("New")
    ENGAGED = "engaged", _("Engaged")
    MEETING = "meeting", _("Meeting")
    OFFER = "offer", _("Offer")
    WON = "won", _("Won")
    LOST = "lost", _("Lost")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    ON_HOLD = "on_hold", _("On hold")


class Task(TextChoices):
    """What the owner has to do next."""

    NONE = "", _("Nothing")
    GIVE_AVAILABILITY = "give_availability", _("Give your availability")
    ATTEND = "attend", _("Prepare the meeting")
    DO_ASSESSMENT = "do_assessment", _("Do the assessment")
    SEND_INFORMATION = "send_information", _("Send what was asked for")
    APPLY = "apply", _("Apply or confirm")
    REPLY = "reply", _("Reply")
    ANSWER_OFFER = "answer_offer", _("Answer the offer")
    ANSWER_QUOTE_REACTION = "answer_quote_reaction", _("Answer about your quote")
    DECIDE_ENTRY = "decide_entry", _("Decide whether to enter")
    OWN = "own", _("Your own task")


class Ball(TextChoices):
    US = "us", _("Your turn")
    THEM = "them", _("Their turn")


# How far along a stage is. Automatic moves only go up; the closed ones may be reached from anywhere that is open.
ORDER = {Stage.NEW: 0, Stage.ENGAGED: 1, Stage.MEETING: 2, Stage.OFFER: 3}
OPEN = tuple(ORDER)
CLOSED = frozenset({Stage.WON, Stage.LOST, Stage.WITHDRAWN})
BOARD = (Stage.NEW, Stage.ENGAGED, Stage.MEETING, Stage.OFFER, Stage.WON)
ASIDE = (Stage.ON_HOLD, Stage.LOST, Stage.WITHDRAWN)


@dataclass(frozen=True)
class Effect:
    """What a label does to an opportunity; `stage` None leaves it where it is. `kind` is that of a new one.

    `title` is a lazy translation.
    """

    title: Any
    stage: Stage | None
    kind: Kind
    ball: Ball
    task: Task = Task.NONE
    starts_at: Stage = Stage.NEW


EFFECTS: dict[str, Effect] = {
    "application_confirmation": Effect(_("Application received"), Stage.ENGAGED, Kind.APPLICATION, Ball.THEM),
    "rejection": Effect(_("Refusal"), Stage.LOST, Kind.APPLICATION, Ball.THEM),
    "availability_request": Effect(_("Availability asked"), Stage.MEETING, Kind.APPLICATION, Ball.US, Task.GIVE_AVAILABILITY),
    "interview_invitation": Effect(_("Interview"), Stage.MEETING, Kind.APPLICATION, Ball.US, Task.ATTEND),
    "assessment_sent": Effect(_("Assessment"), Stage.ENGAGED, Kind.APPLICATION, Ball.US, Task.DO_ASSESSMENT),
    "information_request": Effect(_("Information asked"), None, Kind.APPLICATION, Ball.US, Task.SEND_INFORMATION, starts_at=Stage.ENGAGED),
    "referral_action_required": Effect(_("Referral"), None, Kind.APPLICATION, Ball.US, Task.APPLY),
    "inbound_request": Effect(_("First contact"), None, Kind.APPLICATION, Ball.US, Task.REPLY),
    "action_required_from_company": Effect(_("They owe the next step"), None, Kind.APPLICATION, Ball.THEM, starts_at=Stage.ENGAGED),
    "hiring_freeze": Effect(_("On hold there"), Stage.ON_HOLD, Kind.APPLICATION, Ball.THEM),
    "withdrew_application": Effect(_("Withdrawn"), Stage.WITHDRAWN, Kind.APPLICATION, Ball.THEM),
    "offer_made": Effect(_("Offer"), Stage.OFFER, Kind.APPLICATION, Ball.US, Task.ANSWER_OFFER),
    "client_enquiry": Effect(_("Enquiry"), None, Kind.ENQUIRY, Ball.US, Task.REPLY),
    "quote_follow_up": Effect(_("About your quote"), None, Kind.ENQUIRY, Ball.US, Task.ANSWER_QUOTE_REACTION, starts_at=Stage.OFFER),
    "call_for_entries": Effect(_("Call for entries"), None, Kind.TENDER, Ball.US, Task.DECIDE_ENTRY),
}
LABEL_CHOICES = [(label, effect.title) for label, effect in EFFECTS.items()]


def moved_by(label: str, stage: str) -> str:
    """The stage that `label` moves an opportunity to from `stage`: forward only, and never out of a closed one.

    Put on hold or out of it counts as forward; an opportunity that was closed stays closed (a person may reopen it).
    """
    target = EFFECTS[label].stage
    if target is None or target == stage or stage in CLOSED:
        return stage
    if target in CLOSED or target == Stage.ON_HOLD or stage == Stage.ON_HOLD:
        return target
    return target if ORDER[target] > ORDER[Stage(stage)] else stage
