"""Whose opportunity it is, and for which role, from names as they are written in the mail.

Every name that could be meant is a candidate; what is seen of each (where it stands, between which words, how much of the sender's
domain it spells) is weighed, and the likeliest is the answer when it is likely enough: a wrong name costs more than none.
"""

from tracker.classify.choose import choose
from tracker.classify.company_names import company_candidates
from tracker.classify.evidence import Reading
from tracker.classify.role_names import role_candidates
from tracker.classify.spans import lines_of

WITHOUT_ROLE = {"client_enquiry", "quote_follow_up", "call_for_entries"}
LEAST_COMPANY, LEAST_ROLE = 0.5, 0.5


def company_and_role(reading: Reading, label: str) -> tuple[str, str]:
    """Company and role as written in the mail, "" when unknown; a platform is never the company."""
    lines = lines_of(reading)
    company = choose(company_candidates(reading, lines, label), "company", least=LEAST_COMPANY)
    if label in WITHOUT_ROLE:
        return company, ""
    return company, choose(role_candidates(lines, label, company), "role", least=LEAST_ROLE)
