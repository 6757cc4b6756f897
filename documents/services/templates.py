"""Contract templates: the studio's own texts. A change counts its version up; contracts keep the text they were made of."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone, translation

from accounts.models import Organization, User
from audit.services import record
from documents.first_templates import LANGUAGES, NAME, text_in
from documents.models import ContractTemplate


@transaction.atomic
def save_template(template: ContractTemplate, *, actor: User, request: HttpRequest | None = None) -> ContractTemplate:
    """Store a new one, or a changed one as its next version."""
    new = template._state.adding
    if not new:
        stored = ContractTemplate.objects.select_for_update().get(pk=template.pk)
        template.version = stored.version + (stored.text != template.text)
    template.updated_at = timezone.now()
    template.save()
    _record("contract_template.created" if new else "contract_template.updated", template, actor=actor, request=request)
    return template


@transaction.atomic
def delete_template(template: ContractTemplate, *, actor: User, request: HttpRequest | None = None) -> None:
    _record("contract_template.deleted", template, actor=actor, request=request)
    template.delete()


@transaction.atomic
def add_first_templates(organization: Organization, *, actor: User, request: HttpRequest | None = None) -> list[ContractTemplate]:
    """Ours in both languages, where the studio has none of that name yet."""
    made = []
    for language in LANGUAGES:
        with translation.override(language):
            name = str(NAME)
        if not ContractTemplate.objects.filter(organization=organization, name=name, language=language).exists():
            template = ContractTemplate(organization=organization, name=name, language=language, text=text_in(language))
            made.append(save_template(template, actor=actor, request=request))
    return made


def _record(action: str, template: ContractTemplate, **who: Any) -> None:
    record(action, template, organization_id=template.organization_id, version=template.version, **who)
