"""PDFs from content: a quote of three lines, an invoice with its payment code, a two-page contract, one after the other in one process.

Prints one JSON line per figure (bench, case, value, unit, goal, ok) and a table. The goal is per core: process CPU time, so that
threads of the compiler count as what they cost.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("ENVIRONMENT", "test")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaperture.settings")

from bench.report import Report

TIMES, GOAL = 300, 100.0
SELLER = {
    "name": "Studio Lumière", "address": ["12 rue des Arts", "75011 Paris"], "country": "FR", "phone": "",
    "email": "bonjour@studio.example",
    "footer": ["Studio Lumière EI", "SIRET 12345678900012 · N° de TVA FR83404833048"],
}  # fmt: skip


def line(number: int) -> dict[str, Any]:
    return {
        "description": f"Reportage {number}", "details": "Cérémonie, vin d’honneur et soirée", "quantity": "1", "unit": "",
        "unit_price": f"{1500 + number}.50", "vat_rate": "20.00", "discount": "0", "amount": f"{1500 + number}.50", "optional": False,
    }  # fmt: skip


def content(kind: str, number: int) -> dict[str, Any]:
    head = {
        "version": 1, "kind": kind, "number": f"F-2026-{number:04d}", "dated_on": "2026-11-22", "language": "fr", "subject": "Mariage",
        "seller": SELLER, "currency": "EUR", "valid_until": "2026-12-22",
        "client": {"name": f"Claire Faure {number}", "address": ["4 avenue du Parc", "77950 Maincy"], "identifiers": []},
    }  # fmt: skip
    if kind == "contract":
        clause = "Le photographe réalise la prestation décrite ci-dessous. " * 6
        return head | {"text": "\n\n".join(f"# Article {place}\n\n{clause}\n\n- un\n- deux" for place in range(1, 11))}
    return head | {
        "vat_included": False, "client_reference": "", "notes": "Merci de votre confiance.", "lines": [line(place) for place in range(3)],
        "totals": {
            "net": "4504.50", "vat": "900.90", "gross": "5405.40", "discount": "0.00",
            "by_rate": [{"rate": "20.00", "net": "4504.50", "vat": "900.90"}],
        },
        "mentions": ["Pas d’escompte pour paiement anticipé."], "service_on": None, "due_on": "2026-12-22", "refers_to": "",
        "payment": {"iban": "FR7630006000011234567890189", "bic": "AGRIFRPP", "holder": "Studio Lumière"}, "deposit": "",
    }  # fmt: skip


def main() -> int:
    from aaperture.lib import embedded

    embedded.ensure()
    import django

    django.setup()
    from documents.printing import as_pdf

    report = Report("documents")
    for kind, words in (("quote", "quotes"), ("standard", "invoices with a payment code"), ("contract", "contracts of two pages")):
        some = [content(kind, number) for number in range(TIMES)]
        size = len(as_pdf(some[0]))  # fonts are read once per process
        start, began = time.process_time(), time.perf_counter()
        for one in some:
            as_pdf(one)
        cpu, wall = time.process_time() - start, time.perf_counter() - began
        report.add(f"{words}, per core", TIMES / cpu, "PDF/s", goal=GOAL)
        report.add(f"{words}, by the clock", TIMES / wall, "PDF/s")
        report.add(f"{words}, size", size / 1000, "kB")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
