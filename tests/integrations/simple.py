"""A classifier that keeps all but newsletters, so that the engine's tests do not depend on how mail is judged."""

from aaperture.lib.mime import Mail
from tracker.classify import Classification


def classify(mail: Mail) -> Classification:
    label = "not_relevant" if "newsletter" in mail.subject.lower() else "client_enquiry"
    return Classification(label, 0.9, "", "", ("A simple rule: “it says so”",))
