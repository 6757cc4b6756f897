"""One JSON line per figure while a bench runs, and a table at its end."""

import json
import sys


class Report:
    """Collects the figures of one bench; `finish()` is its exit code: 1 when a goal was missed."""

    def __init__(self, bench: str) -> None:
        self.bench = bench
        self.rows: list[dict] = []

    def add(self, case: str, value: float, unit: str, *, goal: float | None = None, at_most: bool = False) -> None:
        """Print one figure; `goal` is a lower bound, or an upper one with `at_most`."""
        ok = None if goal is None else value <= goal if at_most else value >= goal
        row = {"bench": self.bench, "case": case, "value": round(value, 3), "unit": unit, "goal": goal, "ok": ok}
        self.rows.append(row)
        print(json.dumps(row), flush=True)

    def finish(self) -> int:
        width = max(len(row["case"]) for row in self.rows)
        for row in self.rows:
            goal = "" if row["goal"] is None else f"goal {row['goal']:g}  {'ok' if row['ok'] else 'MISSED'}"
            print(f"{row['case']:<{width}}  {row['value']:>12,.2f} {row['unit']:<12} {goal}", file=sys.stderr)
        return 1 if any(row["ok"] is False for row in self.rows) else 0
