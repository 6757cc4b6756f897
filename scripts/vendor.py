#!/usr/bin/env python3
"""Copy the few browser assets we ship out of node_modules, and note where each came from.

`make vendor` runs `npm ci` and this. The result is committed, so running or testing Aaperture needs no Node.
`scripts/vendor.py --check` compares the committed files with the notes (`vendor.json` beside them).
"""

import base64
import hashlib
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = {  # our file: (npm package, file in it)
    "static/vendor/inter-latin.woff2": ("@fontsource-variable/inter", "files/inter-latin-wght-normal.woff2"),
    "static/vendor/inter-latin-ext.woff2": ("@fontsource-variable/inter", "files/inter-latin-ext-wght-normal.woff2"),
    "static/vendor/inter-license.txt": ("@fontsource-variable/inter", "LICENSE"),
    "tests/vendor/axe.min.js": ("axe-core", "axe.min.js"),
}
FOLDERS = ("static/vendor", "tests/vendor")


def integrity(content: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


def copy() -> None:
    notes: dict[str, dict[str, dict[str, str]]] = {folder: {} for folder in FOLDERS}
    for target, (package, source) in FILES.items():
        origin = ROOT / "node_modules" / package
        about = json.loads((origin / "package.json").read_text())
        content = (origin / source).read_bytes()
        if target.endswith((".js", ".css")):  # a hashed file name may not be promised for a map that is not there
            content = re.sub(rb"\n?(//|/\*)# sourceMappingURL=\S+( ?\*/)?\s*$", b"\n", content)
        path = ROOT / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        notes[str(Path(target).parent)][path.name] = {
            "package": package,
            "version": about["version"],
            "license": about["license"],
            "integrity": integrity(content),
        }
    for folder, files in notes.items():
        (ROOT / folder / "vendor.json").write_text(json.dumps(files, indent=2, sort_keys=True) + "\n")
    print(f"{len(FILES)} files copied")


def differing() -> list[str]:
    """The committed files that are missing, unknown, or not what `vendor.json` says."""
    wrong = []
    for folder in FOLDERS:
        notes = json.loads((ROOT / folder / "vendor.json").read_text())
        there = {path.name for path in (ROOT / folder).iterdir()} - {"vendor.json"}
        wrong += [f"{folder}/{name}" for name in there ^ set(notes)]
        wrong += [
            f"{folder}/{name}" for name in there & set(notes) if integrity((ROOT / folder / name).read_bytes()) != notes[name]["integrity"]
        ]
    return sorted(wrong)


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        if wrong := differing():
            sys.exit("not what vendor.json says: " + ", ".join(wrong))
    else:
        copy()
