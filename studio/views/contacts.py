"""`/contacts/…`: the people and companies a studio works for."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from aaperture.lib import countries
from aaperture.lib.csv_safe import csv_response
from accounts.http import UserRequest
from accounts.studio_roles import may
from studio.access import found, here
from studio.forms import ContactFilterForm, ContactForm
from studio.models import Contact, ContactQuerySet, PhotoSession, Project
from studio.panels import urls_of
from studio.services import contacts
from studio.views.gone import gone_is_404
from studio.views.pages import asked_without_blanks, page_of, query, wants_rows

MOST_PROJECTS = 20


def _listed(request: UserRequest, rows: ContactQuerySet) -> tuple[ContactQuerySet, dict[str, str]]:
    """The contacts an address asks for, in its order, and its filters."""
    filters = asked_without_blanks(ContactFilterForm(request.GET))
    equal = {name: filters[name] for name in ("kind", "language") if name in filters}
    rows = rows.search(filters.get("q", "")).filter(**equal)
    return (rows.order_by("-created_at", "-pk") if filters.get("order") else rows.in_order()), filters


@require_GET
@vary_on_headers("HX-Request")
def contact_list(request: UserRequest) -> HttpResponse:
    mine = here(request, "contacts.view")
    own = Contact.objects.for_organization(mine.organization)
    rows, filters = _listed(request, own)
    page, pages = page_of(request, rows.for_lists(), filters)
    projects = Project.objects.filter(contact__in=[row.pk for row in page.object_list]).order_by()
    counts = dict(projects.values_list("contact").annotate(Count("id")))
    context = {
        "filters": ContactFilterForm(initial=filters),
        "narrowed": len(filters.keys() - {"q"}),
        "filtered": bool(filters.keys() - {"order"}),
        "query": query(filters),
        "page": page,
        "pages": pages,
        "rows": [(row, counts.get(row.pk, 0)) for row in page.object_list],
        "total": page.paginator.count,
        "may_edit": may(mine.role, "contacts.edit"),
    }
    if wants_rows(request, "contacts"):
        response = render(request, "studio/_contact_rows.html", context)
        response["HX-Push-Url"] = reverse("studio:contact_list") + (f"?{context['query']}" if filters else "")
        return response
    context["any"] = bool(context["total"]) or own.exists()
    return render(request, "studio/contact_list.html", context)


@require_GET
def contact_detail(request: UserRequest, pk: UUID) -> HttpResponse:
    contact, mine = found(request, Contact.objects.defer("search_text"), pk, "contacts.view")
    projects = contact.projects.for_lists().newest_first()
    sees_sessions = may(mine.role, "sessions.view")
    coming = PhotoSession.objects.filter(project__contact=contact, ends_at__gte=timezone.now()).expected().for_pages().in_order()
    context = {
        "contact": contact,
        "country": countries.name_of(contact.country) if contact.country else "",
        "projects": projects[:MOST_PROJECTS],
        "count": projects.count(),
        "most": MOST_PROJECTS,
        "sessions": coming[:5] if sees_sessions else [],
        "may_edit": may(mine.role, "contacts.edit"),
        "may_begin": may(mine.role, "projects.edit"),
        "panels": urls_of("contact", contact.pk),
    }
    return render(request, "studio/contact_detail.html", context)


@require_http_methods(["GET", "POST"])
def contact_add(request: UserRequest) -> HttpResponse:
    mine = here(request, "contacts.edit")
    form = ContactForm(request.POST or None, initial={"language": request.user.language, "country": ""})
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        double = contacts.known(mine.organization, fields["email"])
        if double is None or "anyway" in request.POST:
            contact = contacts.create_contact(mine.organization, fields=fields, actor=request.user, request=request)
            messages.success(request, _("%(name)s is among your contacts now.") % {"name": contact.name})
            if request.POST.get("next") == "project":
                return redirect(f"{reverse('studio:project_add')}?contact={contact.pk}")
            return redirect("studio:contact_detail", pk=contact.pk)
        return render(request, "studio/contact_form.html", {"form": form, "double": double, "next": request.POST.get("next", "")})
    return render(request, "studio/contact_form.html", {"form": form, "next": request.POST.get("next") or request.GET.get("next", "")})


@require_http_methods(["GET", "POST"])
@gone_is_404
def contact_edit(request: UserRequest, pk: UUID) -> HttpResponse:
    contact, _mine = found(request, Contact.objects, pk, "contacts.edit")
    name = contact.name  # as stored: the form writes into the row it is given
    form = ContactForm(request.POST or None, instance=contact)
    context: dict[str, Any] = {"form": form, "contact": contact, "name": name}
    if request.method == "POST" and form.is_valid():
        try:
            contacts.edit_contact(contact, fields=form.cleaned_data, actor=request.user, request=request, seen=form.cleaned_data["seen"])
        except contacts.ChangedMeanwhile:
            return render(request, "studio/contact_form.html", context | {"changed": True}, status=409)
        messages.success(request, _("Saved."))
        return redirect("studio:contact_detail", pk=pk)
    return render(request, "studio/contact_form.html", context)


@require_http_methods(["GET", "POST"])
@gone_is_404
def contact_delete(request: UserRequest, pk: UUID) -> HttpResponse:
    """Says first what it means, for rows of other apps too."""
    contact, _mine = found(request, Contact.objects.for_lists(), pk, "contacts.edit")
    if request.method == "POST":
        try:
            contacts.delete_contact(contact, actor=request.user, request=request)
        except contacts.InUse:
            messages.error(request, _("It cannot be deleted: something that must be kept refers to it."))
            return redirect("studio:contact_delete", pk=pk)
        messages.success(request, _("The contact is deleted."))
        return redirect("studio:contact_list")
    uses = contacts.uses_of(contact)
    context = {"contact": contact, "uses": uses, "kept": any(use.fate == "keeps" for use in uses)}
    return render(request, "studio/contact_delete.html", context)


@require_GET
def contact_export(request: UserRequest) -> StreamingHttpResponse:
    """What the same address would list, as CSV in the person's language."""
    mine = here(request, "contacts.view")
    rows, _filters = _listed(request, Contact.objects.for_organization(mine.organization))
    contacts.record_export(mine.organization, count=rows.count(), actor=request.user, request=request)
    words = {value: str(said) for value, said in Contact.Kind.choices}
    name = f"contacts-{timezone.localdate():%Y-%m-%d}.csv"
    return csv_response(name, _header(), _rows(rows, words), language=get_language() or "")


def _header() -> list[str]:
    return [
        _("Person or company"), _("First name"), _("Last name"), _("Company"), _("E-mail"), _("Phone"), _("Language"), _("Street"),
        _("Postcode"), _("City"), _("Country"), _("VAT number"), _("Company number"), _("Notes"),
    ]  # fmt: skip


def _rows(rows: ContactQuerySet, words: dict[str, str]) -> Iterator[list[Any]]:
    for row in rows.defer("search_text").iterator(chunk_size=500):
        yield [
            words[row.kind], row.given_name, row.family_name, row.company_name, row.email, row.phone, row.language, row.street,
            row.postcode, row.city, row.country, row.vat_number, row.company_number, row.notes,
        ]  # fmt: skip
