"""`/p/…`: what a client reads and answers, without an account.

The token of a mailed link is exchanged for a cookie that is sent to this one document's pages only, so that it stays in no address
bar, history, referer or log of ours. Every request looks the link up anew: one that is revoked or over ends at once. An unknown, an
expired and a revoked link are answered alike.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.http import require_GET, require_http_methods

from aaperture.lib.client_address import client_address
from accounts.models import Membership
from documents.faults import words_of
from documents.forms.acts import AgreementForm, DeclineForm
from documents.markdown import as_html
from documents.models import ClientLink, Contract, Invoice, Quote
from documents.printing import Writing, as_pdf, as_words
from documents.services import acts, contracts, links, quotes
from documents.services.errors import NotPossible
from documents.services.papers import acceptance_of, file_name, with_acceptance
from documents.zones import zone_in

SALT = "documents.client_link"
COOKIE = "paper"
GOOD_FOR = 12 * 3600  # seconds; afterwards the mail's link opens it again
LONGEST_AGENT = 300
ClientView = Callable[..., HttpResponse]


def _closed(response: HttpResponse, language: str = "", *, referrer: str = "no-referrer") -> HttpResponse:
    response["Referrer-Policy"] = referrer
    response["X-Robots-Tag"] = "noindex, nofollow"
    if language:
        response["Content-Language"] = language
    return response


def _gone(request: HttpRequest) -> HttpResponse:
    return _closed(render(request, "documents/client_gone.html", status=404))


@login_not_required
@require_GET
def client_open(request: HttpRequest, token: str) -> HttpResponse:
    link = links.link_with(token)
    if link is None:
        return _gone(request)
    if not _is_colleague(request, link):
        _deliver(link, request)
        links.opened(link, request=request)
    path = reverse("documents:client", args=[link.pk])
    response = redirect(path)
    value = signing.dumps(str(link.pk), salt=SALT)
    response.set_cookie(COOKIE, value, max_age=GOOD_FOR, path=path, secure=request.is_secure(), httponly=True, samesite="Lax")
    return _closed(response)


def _is_colleague(request: HttpRequest, link: ClientLink) -> bool:
    """Somebody of the studio who looks at the page is not the client."""
    user = request.user
    return user.is_authenticated and Membership.objects.current().filter(user=user, organization=link.organization_id).exists()


def _deliver(link: ClientLink, request: HttpRequest) -> None:
    """The mail with the link may be read before its sender has noted that it went out."""
    document = link.document
    if isinstance(document, Quote) and document.is_draft and document.content:
        with suppress(NotPossible):  # they have accepted the version before: this one is to read
            quotes.mark_sent(document, actor=None, request=request)
    elif isinstance(document, Contract) and document.is_draft and document.content:
        contracts.mark_sent(document, actor=None, request=request)


def with_link(view: ClientView) -> ClientView:
    """Hands the view its link, and speaks the document's language, by the clock of where the studio is."""

    @login_not_required
    @wraps(view)
    def guarded(request: HttpRequest, pk: UUID) -> HttpResponse:
        link = _held(request, pk)
        if link is None or not link.document.content:
            return _gone(request)
        language = link.document.language
        zone = zone_in(link.document.content.get("seller", {}).get("country", ""))
        with translation.override(language), timezone.override(zone):
            # The address holds no secret any more, and with "no-referrer" browsers send forms with "Origin: null", which CSRF refuses.
            return _closed(view(request, link), language, referrer="same-origin")

    return guarded


def _held(request: HttpRequest, pk: UUID) -> ClientLink | None:
    try:
        named = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=GOOD_FOR)
    except signing.BadSignature:
        return None
    if named != str(pk):
        return None
    related = ("quote__contact", "quote__project", "contract__contact", "contract__project", "invoice__contact", "invoice__project")
    return ClientLink.objects.usable().filter(pk=pk).select_related(*related).first()


def _page(request: HttpRequest, link: ClientLink, *, status: int = 200, **more: Any) -> HttpResponse:
    document = link.document
    kind = str(document._meta.model_name)
    acceptance = acceptance_of(document)
    content = with_acceptance(document, acceptance)
    invoice = Invoice.objects.with_balance().get(pk=document.pk) if isinstance(document, Invoice) else None
    open_now = invoice is None and document.state == Quote.Status.SENT
    context = {
        "link": link, "document": document, "kind": kind, "row": invoice or document, "content": content,
        "paper": as_words(content, due=invoice.balance if invoice else None),
        "paper_text": as_html(content["text"]) if kind == "contract" else "",
        "acceptance": acceptance, "left": _left(invoice) if invoice else "",
        "form": AgreementForm(options=_options(document), label_suffix="") if open_now else None,
        "decline": DeclineForm(label_suffix="") if open_now else None,
        **more,
    }  # fmt: skip
    return render(request, "documents/client.html", context, status=status)


def _left(invoice: Invoice) -> str:
    """What is still to be paid of an invoice that is settled in part: its paper goes on naming the whole."""
    if invoice.status != Invoice.Status.ISSUED or not 0 < invoice.balance < invoice.gross:
        return ""
    return Writing({"language": invoice.language, "currency": invoice.currency}).money(invoice.balance)


def _options(document: Any) -> list[tuple[int, str]]:
    if not isinstance(document, Quote):
        return []
    amounts = {place: line["cells"][-1] for place, line in enumerate(as_words(document.content or {})["lines"], 1)}
    rows = document.lines.filter(optional=True).values_list("position", "description")
    return [(position, f"{description} ({amounts[position]})") for position, description in rows]


@require_GET
@with_link
def client(request: HttpRequest, link: ClientLink) -> HttpResponse:
    return _page(request, link)


@require_GET
@with_link
def client_pdf(request: HttpRequest, link: ClientLink) -> HttpResponse:
    response = HttpResponse(as_pdf(with_acceptance(link.document)), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{file_name(link.document)}"'
    return response


@require_http_methods(["GET", "POST"])
@with_link
def client_accept(request: HttpRequest, link: ClientLink) -> HttpResponse:
    document = link.document
    if request.method == "GET" or isinstance(document, Invoice):
        return redirect("documents:client", pk=link.pk)
    if _is_colleague(request, link):
        return _page(request, link, fault=words_of(NotPossible("colleague")), status=403)
    form = AgreementForm(request.POST, options=_options(document), label_suffix="")
    if not form.is_valid():
        return _page(request, link, form=form, status=422)
    agent = request.headers.get("User-Agent", "")[:LONGEST_AGENT]
    said = form.cleaned_data
    act = acts.Act(said["name"], words=said["words"], address=client_address(request), agent=agent, link=link)
    try:
        if isinstance(document, Quote):
            quotes.accept_quote(document, act, options=said.get("options", []), request=request)
        else:
            contracts.accept_contract(document, act, request=request)
    except NotPossible as fault:
        return _page(request, _again(link), fault=words_of(fault), status=409)
    return redirect("documents:client", pk=link.pk)


@require_http_methods(["GET", "POST"])
@with_link
def client_decline(request: HttpRequest, link: ClientLink) -> HttpResponse:
    document = link.document
    if request.method == "GET" or isinstance(document, Invoice):
        return redirect("documents:client", pk=link.pk)
    if _is_colleague(request, link):
        return _page(request, link, fault=words_of(NotPossible("colleague")), status=403)
    form = DeclineForm(request.POST, label_suffix="")
    if not form.is_valid():
        return _page(request, link, decline=form, status=422)
    try:
        acts.decline(document, reason=form.cleaned_data["reason"], link=link, request=request)
    except NotPossible as fault:
        return _page(request, _again(link), fault=words_of(fault), status=409)
    return redirect("documents:client", pk=link.pk)


def _again(link: ClientLink) -> ClientLink:
    """As it stands now: somebody answered in another tab."""
    return ClientLink.objects.select_related("quote__contact", "contract__contact", "invoice__contact").get(pk=link.pk)
