"""Fit `tracker/classify/weights.json` to the tuning mails (`tests/corpus/tune*`); the held-out part is never read.

    python scripts/fit_classifier.py [--check]

Sentences of a tuning mail that also serve as examples are left out while that mail is read, so that its findings are what
an unseen mail would show. The fit is multinomial logistic regression with a ridge, by accelerated gradient descent:
deterministic, about two minutes. `--check` prints what five-fold cross-validation gives and writes nothing.
"""

import csv
import importlib
import json
import math
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from aaperture.lib.mime import Mail, mail_from_bytes  # noqa: E402

decide = importlib.import_module("tracker.classify.decide")  # the package also has functions of these names
likeness = importlib.import_module("tracker.classify.likeness")
evidence = importlib.import_module("tracker.classify.evidence")
weigh = importlib.import_module("tracker.classify.weigh")

CORPUS = ROOT / "tests" / "corpus"
FOLDS = 8
RIDGE = 3.3
ROUNDS = 250
Sample = tuple[dict[str, float], str]


def mails() -> list[tuple[Mail, str]]:
    found = []
    for folder in sorted(CORPUS.glob("tune*")):
        with (folder / "labels.csv").open(encoding="utf-8") as file:
            found += [(mail_from_bytes((folder / row["file"]).read_bytes()), row["label"]) for row in csv.DictReader(file)]
    return found


def learn_without(sentences: set[str]) -> None:
    """Let likeness forget the examples that are these very sentences."""
    model = likeness.learn([(text, label) for text, label in likeness.examples() if " ".join(text.split()) not in sentences])
    likeness.model = lambda: model
    likeness._weights.cache_clear()
    likeness.likeness.cache_clear()


def samples(labelled: Sequence[tuple[Mail, str]]) -> list[Sample]:
    """Findings and label of each mail, read without its own sentences among the examples."""
    folds = [random.Random(11 + number).randrange(FOLDS) for number in range(len(labelled))]  # nosec B311 - folds, no secrets
    sentences = [{" ".join(line.split()) for line in evidence.read(mail).lines} for mail, _ in labelled]
    found: list[Sample] = [({}, "")] * len(labelled)
    for fold in range(FOLDS):
        here = [number for number, its in enumerate(folds) if its == fold]
        learn_without(set().union(*(sentences[number] for number in here)))
        for number in here:
            mail, label = labelled[number]
            found[number] = (decide.opinion(evidence.read(mail))[1], label)
        print(f"\rread {fold + 1}/{FOLDS}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return found


def fit(data: Sequence[Sample], rounds: int = ROUNDS) -> Any:
    """Weights that make the labels likeliest, held small by the ridge."""
    labels = sorted({label for _, label in data})
    names = sorted({name for found, _ in data for name in found})
    place = {name: index for index, name in enumerate(names)}
    rows = [([(place[name], value) for name, value in found.items() if value], labels.index(label)) for found, label in data]
    size = len(labels)
    width = len(names) + 1  # the last is the bias
    step = 1.0 / (0.5 * max(sum(value * value for _, value in row) + 1 for row, _ in rows) * len(rows) / 12 + RIDGE)
    now = [[0.0] * size for _ in range(width)]
    ahead = [row[:] for row in now]
    for number in range(rounds):
        slope = [[RIDGE * value for value in row] for row in ahead[:-1]] + [[0.0] * size]
        for row, right in rows:
            errors = _errors(row, right, ahead)
            for index, value in row:
                line = slope[index]
                for label, error in enumerate(errors):
                    line[label] += error * value
            for label, error in enumerate(errors):
                slope[-1][label] += error
        pace = number / (number + 3)
        for index in range(width):
            old, line = now[index], ahead[index]
            new = [value - step * change for value, change in zip(line, slope[index], strict=True)]
            ahead[index] = [value + pace * (value - before) for value, before in zip(new, old, strict=True)]
            now[index] = new
        if number % 25 == 0:
            print(f"\rfit {number}/{rounds}", end="", file=sys.stderr)
    print(file=sys.stderr)
    rounded = {name: tuple(round(value, 3) for value in now[index]) for name, index in place.items()}
    return weigh.Weights(tuple(labels), tuple(round(value, 3) for value in now[-1]), rounded)


def _errors(row: list[tuple[int, float]], right: int, table: list[list[float]]) -> list[float]:
    sums = table[-1][:]
    for index, value in row:
        for label, weight in enumerate(table[index]):
            sums[label] += weight * value
    top = max(sums)
    exponentials = [math.exp(value - top) for value in sums]
    total = sum(exponentials)
    return [value / total - (label == right) for label, value in enumerate(exponentials)]


def check(data: list[Sample]) -> None:
    """Print the accuracy on parts that were not fitted."""
    right = kept = irrelevant = 0
    for fold in range(5):
        weights = fit([sample for number, sample in enumerate(data) if number % 5 != fold], rounds=120)
        weigh.weights = lambda weights=weights: weights
        for found, label in data[fold::5]:
            answer = decide.choose(found)[0]
            right += answer == label
            irrelevant += label == decide.NOT_RELEVANT
            kept += label == decide.NOT_RELEVANT != answer
    print(f"{right / len(data):.1%} exact, {kept / irrelevant:.1%} of irrelevant kept, over {len(data)} mails")


def main() -> None:
    data = samples(mails())
    if "--check" in sys.argv:
        check(data)
        return
    found = fit(data)
    content = {"labels": found.labels, "bias": found.bias, "weights": found.by_finding}
    weigh.WEIGHTS.write_text(json.dumps(content, separators=(",", ":")).replace('],"', '],\n"') + "\n", encoding="utf-8")
    print(f"{len(found.by_finding)} findings weighed over {len(data)} mails")


if __name__ == "__main__":
    main()
