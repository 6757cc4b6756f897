"""Which type of session words of English or French speak of: a suggestion for a form, never more."""

import re

from aaperture.lib.search import searchable
from studio.models.sessions import PhotoSession

Type = PhotoSession.Type

# beginnings of words without accents, as patterns; what is told more precisely comes first: a family's portrait is a family session
BEGINNINGS: dict[str, tuple[str, ...]] = {
    Type.WEDDING: ("mariage", "maries", "wedding", "elopement", "noce"),
    Type.NEWBORN: ("nouveau ne", "nouveaux nes", "naissance", "grossesse", "newborn", "maternity", "bebe", "baby"),
    Type.COUPLE: ("couple", "fiancaille", "engagement session", "engagement shoot", "engagement photo"),
    Type.FAMILY: ("famille", "family", "families", "enfants", "kids"),
    Type.REAL_ESTATE: ("immobilier", "real estate", "property", "properties", "architecture", "appartement"),
    Type.PRODUCT: ("produit", "packshot", "product photo", "product shoot", "products", "catalogue", "e commerce", "lookbook"),
    Type.CORPORATE: ("corporate", "entreprise", "headshot", "trombinoscope", "collaborateurs", "equipe", "team photo", "team portrait"),
    Type.EVENT: (
        "evenement", r"events?\b", "soiree", "gala", "anniversaire", "birthday", "bapteme", "christening", "conference", "concert",
        "seminaire", "inauguration", "party", "festival",
    ),
    Type.REPORTAGE: ("reportage", "documentary", "documentaire"),
    Type.PORTRAIT: ("portrait",),
}  # fmt: skip
PATTERNS = {name: re.compile(rf"\b(?:{'|'.join(words)})") for name, words in BEGINNINGS.items()}


def suggested_type(*texts: str) -> str:
    """Of the first text that speaks of one; "" where none does."""
    for text in map(searchable, texts):
        for name, pattern in PATTERNS.items():
            if pattern.search(text):
                return str(name)
    return ""
