"""Fit `tracker/classify/weights.json` to the tuning mails (`tests/corpus/tune*`); the held-out parts are never read.

    pip install scikit-learn==1.9.1 && python scripts/fit_classifier.py [--check]

Sentences of a tuning mail that also serve as examples are left out while that mail is read, so that its findings are what an unseen
mail would show. The fit is multinomial logistic regression with a ridge, first over every word that two mails share, then over
the weightiest ones. `--check` fits without each folder of mails in turn, prints how that folder is then classified, and writes nothing.
"""

import csv
import importlib
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from aaperture.lib.mime import Mail, mail_from_bytes  # noqa: E402 - after the path is set

decide = importlib.import_module("tracker.classify.decide")  # the package also has functions of these names
likeness = importlib.import_module("tracker.classify.likeness")
evidence = importlib.import_module("tracker.classify.evidence")
weigh = importlib.import_module("tracker.classify.weigh")
words = importlib.import_module("tracker.classify.words")

CORPUS = ROOT / "tests" / "corpus"
FOLDS = 8
FREEDOM = 3.0  # the inverse of the ridge
WORDS_KEPT = 12_000


class Sample(NamedTuple):
    folder: str
    label: str
    found: dict[str, float]  # without words
    lines: list[str]


def mails() -> list[tuple[str, Mail, str]]:
    found = []
    for folder in sorted(CORPUS.glob("tune*")):
        with (folder / "labels.csv").open(encoding="utf-8") as file:
            found += [(folder.name, mail_from_bytes((folder / row["file"]).read_bytes()), row["label"]) for row in csv.DictReader(file)]
    return found


def learn_without(sentences: set[str]) -> None:
    """Let likeness forget the examples that are these very sentences."""
    model = likeness.learn([(text, label) for text, label in likeness.examples() if " ".join(text.split()) not in sentences])
    likeness.model = lambda: model
    likeness.likeness.cache_clear()


def samples(labelled: Sequence[tuple[str, Mail, str]]) -> list[Sample]:
    """What is found in each mail, read without its own sentences among the examples."""
    folds = [random.Random(11 + number).randrange(FOLDS) for number in range(len(labelled))]  # nosec B311 - folds, no secrets
    sentences = [{" ".join(line.split()) for line in evidence.read(mail).lines} for _, mail, _ in labelled]
    found: list[Sample] = [Sample("", "", {}, [])] * len(labelled)
    for fold in range(FOLDS):
        here = [number for number, its in enumerate(folds) if its == fold]
        learn_without(set().union(*(sentences[number] for number in here)))
        for number in here:
            folder, mail, label = labelled[number]
            reading = evidence.read(mail)
            named = {name: value for name, value in decide.opinion(reading)[1].items() if not name.startswith("word ")}
            found[number] = Sample(folder, label, named, list(reading.lines))
        print(f"\rread {fold + 1}/{FOLDS}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return found


def rarities(data: Sequence[Sample]) -> dict[str, float]:
    """Inverse document frequency of every word in at least two mails."""
    mails_with = Counter(word for sample in data for word in words.counts(sample.lines))
    return {word: round(math.log((1 + len(data)) / (1 + number)) + 1, 2) for word, number in mails_with.items() if number > 1}


def regress(data: Sequence[Sample], rarity: dict[str, float]) -> tuple[Any, list[str]]:
    vectorizer = DictVectorizer()
    table = vectorizer.fit_transform([sample.found | words.words(sample.lines, rarity) for sample in data])
    model = LogisticRegression(C=FREEDOM, max_iter=400, tol=1e-3).fit(table, [sample.label for sample in data])
    return model, list(vectorizer.get_feature_names_out())


def fit(data: Sequence[Sample]) -> Any:
    """Weights that make the labels likeliest, held small by the ridge."""
    rarity = rarities(data)
    model, names = regress(data, rarity)
    reach = {name.removeprefix("word "): abs(model.coef_[:, place]).max() for place, name in enumerate(names) if name.startswith("word ")}
    kept = sorted(reach, key=lambda word: -reach[word])[:WORDS_KEPT]
    rarity = {word: rarity[word] for word in sorted(kept)}
    model, names = regress(data, rarity)
    rows = {name: tuple(round(float(value), 2) for value in model.coef_[:, place]) for place, name in enumerate(names)}
    return weigh.Weights(tuple(model.classes_), tuple(round(float(value), 3) for value in model.intercept_), rows, rarity)


def check(data: list[Sample]) -> None:
    """Print how mails are classified that were not fitted, folder by folder: each was written by another hand."""
    total: Counter[str] = Counter()
    for folder in sorted({sample.folder for sample in data}):
        fitted = fit([sample for sample in data if sample.folder != folder])
        weigh.weights = lambda fitted=fitted: fitted
        here: Counter[str] = Counter()
        for sample in (sample for sample in data if sample.folder == folder):
            answer = decide.choose(sample.found | words.words(sample.lines, fitted.rarity))[0]
            here["mails"] += 1
            here["right"] += answer == sample.label
            here["irrelevant"] += sample.label == decide.NOT_RELEVANT
            here["kept"] += sample.label == decide.NOT_RELEVANT != answer
        print(f"{folder:<15} {here['right'] / here['mails']:.1%} exact, {here['kept']}/{here['irrelevant']} irrelevant kept", flush=True)
        total += here
    print(f"all {total['right'] / total['mails']:.1%} exact, {total['kept'] / total['irrelevant']:.1%} of irrelevant kept")


def main() -> None:
    data = samples(mails())
    if "--check" in sys.argv:
        check(data)
        return
    found = fit(data)
    content = {"labels": found.labels, "bias": found.bias, "weights": found.by_finding, "rarity": found.rarity}
    weigh.WEIGHTS.write_text(json.dumps(content, separators=(",", ":")).replace('],"', '],\n"') + "\n", encoding="utf-8")
    print(f"{len(found.by_finding)} findings weighed over {len(data)} mails")


if __name__ == "__main__":
    main()
