"""`/contacts/import/…`: a file is looked at before anything is written, and what was written can be taken back."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts.http import UserRequest
from studio import columns
from studio.access import found, here
from studio.models import Contact, ContactImport
from studio.services import imports

SHOWN_IMPORTS = 10
NAMES = frozenset({"given_name", "family_name", "name", "company_name", "email"})  # one of them makes a contact


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("CSV file"), help_text=gettext_lazy("With headings in its first row; at most 2 MB and 5,000 rows."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv,text/plain"}),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def contact_import(request: UserRequest) -> HttpResponse:
    mine = here(request, "contacts.edit")
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            waiting = imports.receive(mine.organization, file.read(columns.LARGEST_FILE + 1), actor=request.user)
        except columns.Unreadable as fault:
            form.add_error("file", str(fault))
        else:
            return redirect("studio:contact_import_preview", pk=waiting.pk)
    imports.forget_abandoned(mine.organization)
    former = ContactImport.objects.for_organization(mine.organization).select_related("imported_by").defer("content")
    context = {"form": form, "imports": former.order_by("-created_at")[:SHOWN_IMPORTS]}
    return render(request, "studio/contact_import.html", context)


@require_http_methods(["GET", "POST"])
def contact_import_preview(request: UserRequest, pk: UUID) -> HttpResponse:
    """What the file would become; nothing is written before "Import"."""
    waiting, _mine = found(request, ContactImport.objects, pk, "contacts.edit")
    if request.method == "POST":
        return _act(request, waiting)
    try:
        checked = imports.check(waiting)
    except imports.NotWaiting:
        return redirect("studio:contact_import")
    new = checked.new
    seen = columns.preview([row for row in checked.rows if row.number not in checked.known])
    context = {
        "waiting": waiting,
        "columns": [
            {"number": number, "heading": heading, "field": field, "example": example[:60]}
            for number, (heading, field, example) in enumerate(zip(checked.headings, waiting.columns, checked.examples, strict=False))
        ],
        "nameless": not NAMES & set(waiting.columns),
        "fields": columns.FIELDS.items(),
        "languages": Contact._meta.get_field("language").choices,
        "total": len(checked.rows),
        "new_count": len(new),
        "known_count": len(checked.known),
        **seen,
    }
    return render(request, "studio/contact_import_preview.html", context)


def _act(request: UserRequest, waiting: ContactImport) -> HttpResponse:
    act = request.POST.get("act")
    try:
        if act == "discard":
            imports.discard(waiting)
            messages.success(request, _("The file is forgotten. Nothing was imported."))
            return redirect("studio:contact_import")
        if act == "import":
            done = imports.carry_out(waiting, actor=request.user, request=request)
            said = ngettext("%(n)s contact imported.", "%(n)s contacts imported.", done.created_count) % {"n": done.created_count}
            messages.success(request, said)
            return redirect("studio:contact_list")
        chosen = [request.POST.get(f"column-{number}", "") for number in range(len(waiting.columns))]
        language = request.POST.get("language", "")
        languages = dict(Contact._meta.get_field("language").choices or [])
        imports.set_columns(waiting, chosen, language=language if language in languages else waiting.language)
    except imports.NotWaiting:
        messages.info(request, _("This import is settled already."))
        return redirect("studio:contact_import")
    return redirect("studio:contact_import_preview", pk=waiting.pk)


@require_http_methods(["GET", "POST"])
def contact_import_undo(request: UserRequest, pk: UUID) -> HttpResponse:
    done, _mine = found(request, ContactImport.objects.defer("content"), pk, "contacts.edit")
    if done.status != ContactImport.Status.DONE:
        if request.method == "GET":
            raise Http404
        return redirect("studio:contact_import")
    if request.method == "GET":
        going = imports.untouched(done).count()
        return render(request, "studio/contact_import_undo.html", {"done": done, "going": going, "staying": done.contacts.count() - going})
    try:
        count = imports.undo(done, actor=request.user, request=request)
    except imports.NotWaiting:
        return redirect("studio:contact_import")
    said: Any = ngettext("%(n)s contact is gone again.", "%(n)s contacts are gone again.", count) % {"n": count}
    messages.success(request, said)
    return redirect("studio:contact_list")
