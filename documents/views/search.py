"""What the search over everything finds among documents: a fragment for the page of `studio`."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.http import UserRequest
from accounts.services import studios
from accounts.studio_roles import may
from documents.models import Contract, Invoice, Quote

SHOWN = 5


@require_GET
def search_panel(request: UserRequest) -> HttpResponse:
    """Answers nothing where nothing fits, or for who may see no documents."""
    text = request.GET.get("q", "")[:200].strip()
    mine = studios.current_membership(request.user)
    rows: list[Any] = []
    for model, operation in ((Quote, "documents.view"), (Contract, "documents.view"), (Invoice, "invoices.view")):
        if text and may(mine.role, operation):
            own: Any = model.objects.for_organization(mine.organization).search(text).newest_first().for_lists()
            rows += (own.with_balance() if model is Invoice else own)[:SHOWN]
    return render(request, "documents/_search_panel.html", {"rows": rows})
