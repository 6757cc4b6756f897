"""Fit `tracker/classify/extract_weights.json` to the tuning mails (`tests/corpus/tune*`) but those that check it; the held-out parts are
never read.

    pip install numpy==2.4.6 && python scripts/fit_extraction.py [--check]

Each mail is a choice between candidates, one of which is the name its label says (or none): a conditional logistic regression with
a ridge. Mails whose name is not among the candidates as it is written teach nothing and are left out. `--check` fits without each
folder of mails in turn, prints what is then found in it, and writes nothing.
"""

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from aaperture.lib.mime import mail_from_bytes  # noqa: E402 - after the path is set
from tracker.classify import choose, extract  # noqa: E402 - after the path is set
from tracker.classify.company_names import company_candidates  # noqa: E402 - after the path is set
from tracker.classify.decide import NOT_RELEVANT  # noqa: E402 - after the path is set
from tracker.classify.evidence import read  # noqa: E402 - after the path is set
from tracker.classify.role_names import role_candidates  # noqa: E402 - after the path is set
from tracker.classify.spans import lines_of  # noqa: E402 - after the path is set

CORPUS = ROOT / "tests" / "corpus"
CHECKING = {"tune_6", "tune_7"}  # never fitted: what the tests find there is what an unseen mail shows
WITHOUT_ROLES = {"tune_everyday"}  # its labels never name one
RIDGE = {"company": 0.7, "role": 0.5}
LEAST_MAILS = 4  # a finding seen in fewer weighs nothing
LEAST_WEIGHT = 0.02
STEPS = 400
PACE = 0.1


class Choice(NamedTuple):
    folder: str
    right: str
    candidates: list[choose.Candidate]

    def targets(self) -> list[int]:
        """The candidates that are right; none when the right name is not among them."""
        if not self.right:
            return [0]
        right = self.right.casefold()
        return [number for number, candidate in enumerate(self.candidates) if number and candidate.text.casefold() == right]


def choices() -> dict[str, list[Choice]]:
    """Every choice the tuning mails ask for, of companies and of roles."""
    found: dict[str, list[Choice]] = {"company": [], "role": []}
    for folder in sorted(path for path in CORPUS.glob("tune*") if path.name not in CHECKING):
        with (folder / "labels.csv").open(encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["label"] != NOT_RELEVANT]
        for row in rows:
            reading = read(mail_from_bytes((folder / row["file"]).read_bytes()))
            lines = lines_of(reading)
            found["company"].append(Choice(folder.name, row["company"], company_candidates(reading, lines, row["label"])))
            if row["label"] not in extract.WITHOUT_ROLE and folder.name not in WITHOUT_ROLES:
                found["role"].append(Choice(folder.name, row["role"], role_candidates(lines, row["label"], row["company"])))
    return found


class Table(NamedTuple):
    """What was seen, as the cells of a sparse matrix; one row per candidate, rows of a choice together."""

    rows: Any
    columns: Any
    values: Any
    wanted: Any  # by row
    choice: Any  # by row
    first: Any  # row, by choice


def table(data: Sequence[tuple[Choice, list[int]]], place: dict[str, int]) -> Table:
    cells: list[tuple[int, int, float]] = []
    wanted: list[float] = []
    choice: list[int] = []
    first: list[int] = []
    for number, (its, targets) in enumerate(data):
        first.append(len(wanted))
        for index, candidate in enumerate(its.candidates):
            cells += [(len(wanted), place[name], value) for name, value in candidate.seen.items() if value and name in place]
            wanted.append(1 / len(targets) if index in targets else 0.0)
            choice.append(number)
    rows, columns, values = zip(*cells, strict=True)
    return Table(np.array(rows), np.array(columns), np.array(values), np.array(wanted), np.array(choice), np.array(first))


def fit(data: Sequence[Choice], ridge: float) -> dict[str, float]:
    """Weights that make the right candidates likeliest, held small by the ridge."""
    known = [(its, its.targets()) for its in data if its.targets()]
    counts = Counter(name for its, _ in known for name in {name for candidate in its.candidates for name in candidate.seen})
    names = sorted(name for name, count in counts.items() if count >= LEAST_MAILS)
    seen = table(known, {name: number for number, name in enumerate(names)})
    weights, speed, spread = np.zeros(len(names)), np.zeros(len(names)), np.zeros(len(names))
    for step in range(STEPS):
        scores = np.bincount(seen.rows, weights=seen.values * weights[seen.columns], minlength=len(seen.wanted))
        shares = np.exp(scores - np.maximum.reduceat(scores, seen.first)[seen.choice])
        shares /= np.add.reduceat(shares, seen.first)[seen.choice]
        slope = np.bincount(seen.columns, weights=(shares - seen.wanted)[seen.rows] * seen.values, minlength=len(names)) + ridge * weights
        speed, spread = 0.9 * speed + 0.1 * slope, 0.99 * spread + 0.01 * slope**2
        stride = (speed / (1 - 0.9 ** (step + 1))) / (np.sqrt(spread / (1 - 0.99 ** (step + 1))) + 1e-8)
        weights -= PACE * (1 - step / STEPS) * stride
    return {name: round(float(weight), 2) for name, weight in zip(names, weights, strict=True) if abs(weight) >= LEAST_WEIGHT}


def report(name: str, data: Sequence[Choice], answer: Callable[[Choice], str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for its in data:
        given = answer(its)
        found["named"] += bool(its.right)
        found["given"] += bool(given)
        found["right"] += bool(given) and given.casefold() == its.right.casefold()
    right = found["right"]
    print(
        f"{name:<24} {right / max(1, found['named']):.1%} of {found['named']} found, {right / max(1, found['given']):.1%} of answers right"
    )
    return found


def check(data: dict[str, list[Choice]]) -> None:
    """Print what is found in mails that were not fitted, folder by folder: each was written by another hand."""
    least = {"company": extract.LEAST_COMPANY, "role": extract.LEAST_ROLE}
    for kind, all_choices in data.items():
        for folder in sorted({its.folder for its in all_choices}):
            fitted = fit([its for its in all_choices if its.folder != folder], RIDGE[kind])
            choose.weights = lambda fitted=fitted, kind=kind: {kind: fitted}
            here = [its for its in all_choices if its.folder == folder]
            report(f"{kind} {folder}", here, lambda its, kind=kind: choose.choose(its.candidates, kind, least=least[kind]))


def main() -> None:
    data = choices()
    if "--check" in sys.argv:
        check(data)
        return
    found = {kind: fit(all_choices, RIDGE[kind]) for kind, all_choices in data.items()}
    choose.WEIGHTS.write_text(json.dumps(found, separators=(",", ":"), ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    print(", ".join(f"{len(weights)} findings weighed for the {kind}" for kind, weights in found.items()))


if __name__ == "__main__":
    main()
