"""What nearly every mailbox holds, in its plainest words, by whichever company and for whichever post."""

import pytest

from aaperture.lib.mime import mail_from_bytes
from sandbox.synthetic import COMPANIES, IRRELEVANT, RELEVANT, ROLES, compose
from tracker.classify import classify

LABELS = ("application_confirmation", "interview_invitation", "application_confirmation", "rejection", "client_enquiry")
PLAIN = [*zip(RELEVANT, LABELS, strict=True), *((mail, "not_relevant") for mail in IRRELEVANT)]


@pytest.mark.parametrize(("mail", "label"), PLAIN, ids=[mail[0][:40] for mail, _ in PLAIN])
def test_plain_mail_is_understood_for_most_companies_and_posts(mail, label):
    subject, text = mail
    found = []
    for company in COMPANIES:
        for role in ROLES:
            words = {"company": company, "role": role, "person": "Ruth Keller"}
            sender = f"Ruth Keller <jobs@{company.split()[0].lower()}.example>"
            raw = compose("camille@example.test", {"from": sender, "subject": subject.format(**words), "text": text.format(**words)})
            found.append(classify(mail_from_bytes(raw)).label)
    assert found.count(label) >= 0.85 * len(found), found
