"""The French catalogue: complete, compiled, with the same placeholders, and set as French is."""

import ast
import gettext
import re
from pathlib import Path

CATALOGUE = Path(__file__).resolve().parents[2] / "locale/fr/LC_MESSAGES/django.po"
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}|<[^>]+>")


def _entries() -> list[dict[str, str]]:
    entries = []
    for block in CATALOGUE.read_text().strip().split("\n\n")[1:]:
        entry: dict[str, str] = {"flags": " ".join(line for line in block.split("\n") if line.startswith("#,"))}
        name = ""
        for line in block.split("\n"):
            if found := re.match(r'(msg\w+(?:\[\d\])?) (".*")$', line):
                name = found[1]
                entry[name] = ast.literal_eval(found[2])
            elif line.startswith('"'):
                entry[name] += ast.literal_eval(line)
        if "msgid" in entry:
            entries.append(entry)
    return entries


def _translations(entry: dict[str, str]) -> list[str]:
    return [text for name, text in entry.items() if name.startswith("msgstr")]


def test_every_text_is_translated():
    assert [entry["msgid"] for entry in _entries() if not all(_translations(entry)) or "fuzzy" in entry["flags"]] == []


def test_every_translation_has_the_placeholders_of_its_text():
    wrong = []
    for entry in _entries():
        allowed = [sorted(PLACEHOLDER.findall(entry[name])) for name in ("msgid", "msgid_plural") if name in entry]
        wrong += [entry["msgid"] for text in _translations(entry) if sorted(PLACEHOLDER.findall(text)) not in allowed]
    assert wrong == []


def test_the_compiled_catalogue_is_the_written_one():
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)._catalog
    for entry in _entries():
        key = (entry["msgctxt"] + "\x04" if "msgctxt" in entry else "") + entry["msgid"]
        found = compiled[(key, 0)] if "msgid_plural" in entry else compiled[key]
        assert found == _translations(entry)[0]


def test_no_line_can_break_before_a_french_punctuation_mark():
    badly_set = re.compile(r" [;:!?»](?!\w)|« |'")
    texts = [re.sub(r"<[^>]+>", "", text) for entry in _entries() for text in _translations(entry)]
    assert [text for text in texts if badly_set.search(text)] == []
