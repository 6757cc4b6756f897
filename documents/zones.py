"""Which day it is where a studio is at home: an invoice of half past midnight on 1 January belongs to the new year."""

from datetime import date, tzinfo
from zoneinfo import ZoneInfo

from django.utils import timezone

ZONES = {
    "AT": "Vienna", "BE": "Brussels", "BG": "Sofia", "CH": "Zurich", "CY": "Nicosia", "CZ": "Prague", "DE": "Berlin", "DK": "Copenhagen",
    "EE": "Tallinn", "ES": "Madrid", "FI": "Helsinki", "FR": "Paris", "GB": "London", "GR": "Athens", "HR": "Zagreb", "HU": "Budapest",
    "IE": "Dublin", "IT": "Rome", "LT": "Vilnius", "LU": "Luxembourg", "LV": "Riga", "MC": "Monaco", "MT": "Malta", "NL": "Amsterdam",
    "NO": "Oslo", "PL": "Warsaw", "PT": "Lisbon", "RO": "Bucharest", "SE": "Stockholm", "SI": "Ljubljana", "SK": "Bratislava",
}  # fmt: skip


def zone_in(country: str) -> tzinfo:
    """That of the country's capital; the instance's where the country is none of these."""
    city = ZONES.get(country)
    return ZoneInfo(f"Europe/{city}") if city else timezone.get_current_timezone()


def today_in(country: str) -> date:
    return timezone.localdate(timezone=zone_in(country))
