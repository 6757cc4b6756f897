"""The activity log: recording beside django-auditlog, django-easy-audit and a bare INSERT; sealing, verifying, letting a month go.

    python bench/audit.py            recording, sealing, and 200,000 rows
    python bench/audit.py --full     1,000,000 rows (some minutes, some gigabytes of scratch database)
    python bench/audit.py recording  only what recording costs; or `writers`, or `log`

The database is durable: commits reach the disk. The two other packages are no dependency of ours; to have them in the run:

    pip install --no-deps --target /tmp/others django-auditlog django-easy-audit && PYTHONPATH=/tmp/others python bench/audit.py

Prints one JSON line per figure (bench, case, value, unit, goal, ok) and a table.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("ENVIRONMENT", "test")
os.environ["DJANGO_SETTINGS_MODULE"] = "bench.audited.settings"

from bench.audited.lifetime import Filler, keeping_up, letting_go, seal, verify_alone, verifying  # noqa: E402
from bench.audited.recording import bulk, recording, side_by_side, write  # noqa: E402
from bench.audited.scene import make_tables, set_up  # noqa: E402
from bench.own_servers import own_servers  # noqa: E402
from bench.report import Report  # noqa: E402

QUICK, FULL = 200_000, 1_000_000
SMALL_MONTH, OLD_MONTH = date(2025, 2, 1), date(2025, 3, 1)


def run(arguments: list[str], folder: Path) -> int:
    set_up()
    make_tables()
    report, rows = Report("audit"), FULL if "--full" in arguments else QUICK
    wanted = [name for name in arguments if not name.startswith("-")] or list(CASES)
    for name in wanted:
        CASES[name](report, rows, folder)
    return report.finish()


def whole_life(report: Report, rows: int, folder: Path) -> None:
    """A small and a big old month are sealed, archived and dropped; this month is sealed and verified, and written to meanwhile."""
    seal(report, Filler(SMALL_MONTH), rows // 100, f"{rows // 100:,} rows of an older month")
    seal(report, Filler(OLD_MONTH), rows, f"{rows:,} rows of an old month")
    letting_go(report, folder / "archive")
    filler = Filler(datetime.now(UTC).date().replace(day=1))
    seal(report, filler, rows, f"{rows:,} rows of this month")
    verifying(report)
    keeping_up(report, filler)


CASES: dict[str, Callable[[Report, int, Path], None]] = {
    "recording": lambda report, _rows, _folder: recording(report),
    "bulk": lambda report, _rows, _folder: bulk(report),
    "writers": lambda report, _rows, _folder: side_by_side(report),
    "log": whole_life,
}


def main(arguments: list[str]) -> int:
    with own_servers() as servers:
        return run(arguments, servers.state.folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(*sys.argv[2:])
    elif sys.argv[1:2] == ["--verify"]:
        verify_alone()
    else:
        raise SystemExit(main(sys.argv[1:]))
