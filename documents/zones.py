"""Which day it is where a studio is at home: an invoice of half past midnight on 1 January belongs to the new year."""

from datetime import date
from zoneinfo import ZoneInfo

from django.utils import timezone

ZONES = {
    "AT": "Vienna", "BE": "Brussels", "BG": "Sofia", "CH": "Zurich", "CY": "Nicosia", "CZ": "Prague", "DE": "Berlin", "DK": "Copenhagen",
    "EE": "Tallinn", "ES": "Madrid", "FI": "Helsinki", "FR": "Paris", "GB": "London", "GR": "Athens", "HR": "Zagreb", "HU": "Budapest",
    "IE": "Dublin", "IT": "Rome", "LT": "Vilnius", "LU": "Luxembourg", "LV": "Riga", "MC": "Monaco", "MT": "Malta", "NL": "Amsterdam",
    "NO": "Oslo", "PL": "Warsaw", "PT": "Lisbon", "RO": "Bucharest", "SE": "Stockholm", "SI": "Ljubljana", "SK": "Bratislava",
}  # fmt: skip


def today_in(country: str) -> date:
    """By the clock of the country's capital; by the instance's where the country is none of these."""
    city = ZONES.get(country)
    return timezone.localdate(timezone=ZoneInfo(f"Europe/{city}")) if city else timezone.localdate()
