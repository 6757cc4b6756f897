"""What every table of the trade has: it belongs to an organization, and its words are found."""

from typing import Any, Self

from django.db import models

from aaperture.lib.search import having_words
from accounts.models import Organization


class OwnedQuerySet(models.QuerySet):
    def for_organization(self, organization: Organization | Any) -> Self:
        return self.filter(organization=organization)


class SearchableQuerySet(OwnedQuerySet):
    """For models with a `search_text` under a GIN index of the same expression."""

    def search(self, text: str) -> Self:
        """Every word of `text` begins a word of the row's texts; accents and case do not matter."""
        return having_words(self, text)

    def for_lists(self) -> Self:
        """Without the long texts, which no list shows."""
        return self.defer("search_text", "notes")
