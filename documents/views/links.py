"""The client's link: made and shown once, taken back."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts.http import UserRequest
from documents.models import Contract, Invoice, Quote
from documents.services import links
from documents.views.possible import AnyDocument, page_url
from studio.access import found


def _make(request: UserRequest, document: AnyDocument) -> HttpResponse:
    """Answers with the link itself: nothing keeps it, so no redirect could show it."""
    if not document.content:
        messages.error(request, _("Make it ready first: a client reads only what has a number and a date."))
        return redirect(page_url(document))
    link, token = links.make_link(document, actor=request.user, request=request)
    url = settings.PUBLIC_URL + reverse("documents:client_open", args=[token])
    context = {"document": document, "kind": document._meta.model_name, "url": url, "link": link, "back": page_url(document)}
    return render(request, "documents/link_made.html", context)


def _revoke(request: UserRequest, document: AnyDocument) -> HttpResponse:
    count = links.revoke_links(document, actor=request.user, request=request)
    messages.success(request, ngettext("%(n)d link has ended.", "%(n)d links have ended.", count) % {"n": count})
    return redirect(page_url(document))


def _found(request: UserRequest, model: Any, pk: UUID, operation: str) -> AnyDocument:
    document: AnyDocument = found(request, model.objects.select_related("contact", "project"), pk, operation)[0]
    return document


@require_POST
def quote_link(request: UserRequest, pk: UUID) -> HttpResponse:
    return _make(request, _found(request, Quote, pk, "documents.edit"))


@require_POST
def quote_unlink(request: UserRequest, pk: UUID) -> HttpResponse:
    return _revoke(request, _found(request, Quote, pk, "documents.edit"))


@require_POST
def contract_link(request: UserRequest, pk: UUID) -> HttpResponse:
    return _make(request, _found(request, Contract, pk, "documents.edit"))


@require_POST
def contract_unlink(request: UserRequest, pk: UUID) -> HttpResponse:
    return _revoke(request, _found(request, Contract, pk, "documents.edit"))


@require_POST
def invoice_link(request: UserRequest, pk: UUID) -> HttpResponse:
    return _make(request, _found(request, Invoice, pk, "invoices.edit"))


@require_POST
def invoice_unlink(request: UserRequest, pk: UUID) -> HttpResponse:
    return _revoke(request, _found(request, Invoice, pk, "invoices.edit"))
