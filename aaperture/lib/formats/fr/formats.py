"""A moment is "le 23 novembre 2026 à 19:17"."""

DATETIME_FORMAT = r"j F Y \à H:i"
