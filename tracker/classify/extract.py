"""Company and role."""
from tracker.classify.evidence import Reading


def company_and_role(reading: Reading, label: str) -> tuple[str, str]:
    return "", ""
