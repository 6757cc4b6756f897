"""Every reason a rule can give is known to the translators."""

from pathlib import Path

import yaml

from tracker.classify import READS_LIKE
from tracker.reasons import REASONS

TABLES = Path(__file__).resolve().parents[3] / "tracker" / "classify" / "tables"


def test_every_reason_of_the_rules_can_be_translated():
    groups = [group for path in TABLES.rglob("*.yaml") for group in yaml.safe_load(path.read_text()) if isinstance(group, dict)]
    given = {group["why"] for group in groups if "why" in group} | {READS_LIKE}
    assert given <= REASONS, given - REASONS
