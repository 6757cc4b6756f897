"""Whom a studio works for: a person or a company."""

from typing import Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from aaperture.lib.charsets import CONTROL
from aaperture.lib.search import searchable
from aaperture.lib.uuid7 import uuid7
from studio.models.owned import SearchableQuerySet
from vault.fields import SealedTextField
from vault.services import Owner, organization


class ContactQuerySet(SearchableQuerySet):
    def in_order(self) -> Self:
        return self.order_by("sort_name", "pk")

    def with_email(self, email: str) -> Self:
        return self.alias(_email=Lower("email")).filter(_email=email.strip().lower()).exclude(email="")

    def for_lists(self) -> Self:
        """Without the long texts and the sealed phone, which no list shows."""
        return super().for_lists().defer("phone")


class Contact(models.Model):
    """A person or a company. Of a company, the person's name says whom to write to there."""

    class Kind(models.TextChoices):
        PERSON = "person", pgettext_lazy("contact", "Person")
        COMPANY = "company", pgettext_lazy("contact", "Company")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="contacts")
    kind = models.CharField(_("person or company"), max_length=8, choices=Kind, default=Kind.PERSON)
    given_name = models.CharField(_("first name"), max_length=100, blank=True)
    family_name = models.CharField(_("last name"), max_length=100, blank=True)
    company_name = models.CharField(_("company"), max_length=200, blank=True)
    language = models.CharField(_("language"), max_length=5, choices=settings.LANGUAGES, default="en")
    email = models.EmailField(_("e-mail"), max_length=254, blank=True)
    phone = SealedTextField(_("phone"), max_length=40)
    street = models.TextField(_("street"), max_length=300, blank=True)
    postcode = models.CharField(_("postcode"), max_length=20, blank=True)
    city = models.CharField(_("city"), max_length=100, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)  # ISO 3166-1 alpha-2
    vat_number = models.CharField(_("VAT number"), max_length=20, blank=True)
    company_number = models.CharField(_("company number"), max_length=30, blank=True)  # SIREN, BCE/KBO, …
    notes = models.TextField(_("notes"), max_length=10_000, blank=True)
    contact_import = models.ForeignKey("studio.ContactImport", models.SET_NULL, null=True, editable=False, related_name="contacts")
    sort_name = models.CharField(max_length=200, blank=True, editable=False)
    search_text = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ContactQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        constraints = [
            models.CheckConstraint(
                condition=~Q(given_name="") | ~Q(family_name="") | ~Q(company_name="") | ~Q(email=""),
                name="studio_contact_has_a_name",
            )
        ]
        indexes = [
            models.Index(fields=["organization", "sort_name", "id"], name="studio_contact_order"),
            models.Index("organization", Lower("email"), name="studio_contact_email"),
            GinIndex(SearchVector("search_text", config="simple"), name="studio_contact_search"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def key_owner(self) -> Owner:
        return organization(self.organization_id)

    @property
    def person_name(self) -> str:
        return " ".join(part for part in (self.given_name, self.family_name) if part)

    @property
    def name(self) -> str:
        """What lists and documents call them; the address where there is no name."""
        names = (self.company_name, self.person_name) if self.kind == self.Kind.COMPANY else (self.person_name, self.company_name)
        return names[0] or names[1] or self.email

    @property
    def greeting_name(self) -> str:
        """How a mail begins: the first name where there is one."""
        return self.given_name or self.person_name or self.name

    @property
    def address_lines(self) -> list[str]:
        """The address as an envelope has it, without the country."""
        town = " ".join(part for part in (self.postcode, self.city) if part)
        return [line for line in (*self.street.splitlines(), town) if line.strip()]

    def derive(self) -> None:
        """Fill what is stored about the other fields; whoever writes a contact calls it first. A name is one line, as mails need it."""
        for name in ("given_name", "family_name", "company_name"):
            setattr(self, name, " ".join(CONTROL.sub(" ", getattr(self, name)).split()))
        by_person = (self.family_name, self.given_name, self.company_name)
        by_company = (self.company_name, self.family_name, self.given_name)
        words = by_company if self.kind == self.Kind.COMPANY else by_person
        self.sort_name = searchable(" ".join(words) if any(words) else self.email)[:200]
        more = (self.email, self.city, self.vat_number, self.company_number, self.notes)
        self.search_text = searchable(" ".join((*by_person, *more)))[:20_000]


DERIVED = ("sort_name", "search_text")
