"""E-mail templates: written, changed by a further version, archived."""

from typing import Any

from django.db import transaction
from django.db.models import Max
from django.http import HttpRequest

from accounts.models import Organization, User
from audit.services import record
from mailing.first_templates import FIRST
from mailing.models import EmailTemplate, TemplateVersion
from mailing.placeholders import unknown


class UnknownPlaceholders(ValueError):
    """`names` are not on the list of this kind of template."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        super().__init__(", ".join(names))


class NameTaken(ValueError):
    """Another template of this kind and language is called so."""


@transaction.atomic
def create_template(
    organization: Organization, *, fields: dict[str, Any], actor: User | None, request: HttpRequest | None = None
) -> EmailTemplate:
    """`fields`: kind, language, name, subject, text. Raises UnknownPlaceholders, NameTaken."""
    _require_known(fields["kind"], fields["subject"], fields["text"])
    _require_free(EmailTemplate(organization=organization, kind=fields["kind"], language=fields["language"]), fields["name"])
    template = EmailTemplate(organization=organization, kind=fields["kind"], language=fields["language"], name=fields["name"])
    template.save(force_insert=True)
    TemplateVersion.objects.create(template=template, number=1, subject=fields["subject"], text=fields["text"], created_by=actor)
    record("email_template.created", template, actor=actor, request=request, organization_id=organization.pk)
    return template


@transaction.atomic
def change_template(template: EmailTemplate, *, fields: dict[str, Any], actor: User, request: HttpRequest | None = None) -> TemplateVersion:
    """A further version, unless subject and text are the newest one's. What is scheduled keeps its version.

    Raises UnknownPlaceholders, NameTaken.
    """
    template = EmailTemplate.objects.select_for_update().get(pk=template.pk)
    _require_known(template.kind, fields["subject"], fields["text"])
    if fields.get("name", template.name) != template.name:
        _require_free(template, fields["name"])
        template.name = fields["name"]
        template.save(update_fields=["name"])
    newest = newest_version(template)
    if (newest.subject, newest.text) == (fields["subject"], fields["text"]):
        return newest
    number = (template.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    version = TemplateVersion.objects.create(
        template=template, number=number, subject=fields["subject"], text=fields["text"], created_by=actor
    )
    record("email_template.updated", template, actor=actor, request=request, organization_id=template.organization_id, version=number)
    return version


@transaction.atomic
def archive_template(template: EmailTemplate, *, actor: User, request: HttpRequest | None = None) -> None:
    """It is offered no more; what is scheduled with it still goes out."""
    if EmailTemplate.objects.filter(pk=template.pk, is_archived=False).update(is_archived=True):
        record("email_template.archived", template, actor=actor, request=request, organization_id=template.organization_id)


@transaction.atomic
def add_first_templates(organization: Organization, *, actor: User, request: HttpRequest | None = None) -> int:
    """Ours in both languages, where the studio has none of that name yet; how many."""
    taken = set(EmailTemplate.objects.for_organization(organization).filter(is_archived=False).values_list("kind", "language", "name"))
    wanted = [first for first in FIRST if (first.kind, first.language, first.name) not in taken]
    for first in wanted:
        create_template(organization, fields=first._asdict(), actor=actor, request=request)
    return len(wanted)


def newest_version(template: EmailTemplate) -> TemplateVersion:
    return template.versions.order_by("-number")[0]


def _require_known(kind: str, subject: str, text: str) -> None:
    if names := unknown(kind, subject, text):
        raise UnknownPlaceholders(names)


def _require_free(template: EmailTemplate, name: str) -> None:
    others = EmailTemplate.objects.filter(
        organization=template.organization_id, kind=template.kind, language=template.language, is_archived=False, name=name
    )
    if others.exclude(pk=template.pk).exists():
        raise NameTaken
