"""What the pipeline asks of each mail: the rules, and where they hesitate and it is switched on, a second opinion."""

from django.conf import settings

from aaperture.lib.mime import Mail
from tracker import classify as rules
from tracker import second_opinion

UNDECIDED_BELOW = 0.5


def classify(mail: Mail, *, only_here: bool = False) -> rules.Classification:
    """The rules' classification, or Gemini's label with the rules' reasons where they were undecided.

    With `only_here`, because the mail's owner objects to a second opinion, nothing leaves this machine.
    """
    local = rules.classify(mail)
    if only_here or not settings.GEMINI_API_KEY or local.confidence >= UNDECIDED_BELOW:
        return local
    opinion = second_opinion.ask(mail)
    if opinion is None:
        return local
    reasons = ("Second opinion by Gemini", *local.reasons) if opinion.label != local.label else local.reasons
    return rules.Classification(opinion.label, opinion.confidence, opinion.company or local.company, opinion.role or local.role, reasons)
