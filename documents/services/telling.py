"""One thing that happened to a document, told twice: on record, and in its project's timeline."""

from typing import Any

from django.http import HttpRequest

from accounts.models import User
from audit.services import record
from documents.models import Contract, Invoice, Quote
from studio.services.timeline import add_entry


def tell(
    document: Quote | Contract | Invoice,
    event: str,
    *,
    actor: User | None,
    request: HttpRequest | None,
    shown: dict[str, Any] | None = None,
    **details: Any,
) -> None:
    """In the caller's transaction. The timeline has `shown`, or the details but for the digest."""
    record(event, document, actor=actor, request=request, organization_id=document.organization_id, **details)
    if document.project:
        words = {name: value for name, value in details.items() if name != "digest"} if shown is None else shown
        url_name = f"documents:{document._meta.model_name}"
        add_entry(document.project, event, actor=actor, url_name=url_name, target_id=document.pk, **words)
