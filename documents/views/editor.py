"""The editor of quotes and invoices: a form, lines that come and go, and what they come to while one writes.

One address does it all, with and without scripts: the button "Add a line" and its like send the form with `lines_do`, and the
answer is the form with that done; htmx takes only its lines and totals out of it.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts.http import UserRequest
from documents.content import quote_deposit
from documents.forms.sheets import FORMS, SheetForm, bound, changed_rows, rows_said, unbound
from documents.models import Identity, Invoice, InvoiceLine, Quote, QuoteLine
from documents.models.sheets import Sheet
from documents.printing import Writing
from documents.services.errors import NotPossible
from documents.services.invoices import CLOSING, Deposit, deposits_of
from documents.services.sheets import LINE_FIELDS, SHEET_FIELDS, made_lines, take
from documents.views.possible import page_url, refuse
from studio.models import Contact, Project


class Editor:
    """One request for the editor's page."""

    def __init__(
        self, request: UserRequest, sheet: Sheet, *, identity: Identity, contact: Contact | None, project: Project | None,
        initial: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.request, self.sheet, self.identity = request, sheet, identity
        self.contact, self.project = contact, project
        self.kwargs = {"identity": identity, "options": isinstance(sheet, Quote)}
        stored = None if sheet._state.adding else sheet
        self.currency = stored.currency if stored else identity.currency
        form_class = FORMS[type(sheet)]
        posted = request.method == "POST"
        rows = rows_said(request.POST) if posted else []
        self.wanted = request.POST.get("lines_do", "") if posted else ""
        data = request.POST if posted else None
        self.form: SheetForm = form_class(data, identity=identity, contact=contact, sheet=stored, initial=initial, label_suffix="")
        self.checked: Any = bound(rows, **self.kwargs) if posted else None
        if posted and not self.wanted:
            self.lines: Any = self.checked
        elif posted:
            self.lines = unbound(changed_rows(rows, self.wanted) or [{}], **self.kwargs)
        else:
            self.lines = unbound(self._stored_rows() or [{}], **self.kwargs)

    def _stored_rows(self) -> list[dict[str, Any]]:
        if self.sheet._state.adding:
            return []
        lines = self.sheet.lines.all()  # type: ignore[attr-defined]  # every kind of sheet has lines
        return [{name: getattr(line, name) for name in LINE_FIELDS} for line in lines]

    def done(self) -> bool:
        if self.request.method != "POST" or self.wanted:
            return False
        return bool(self.form.is_valid() & self.checked.is_valid())

    def stored(self, act: Callable[..., Any], said: str) -> HttpResponse:
        """Store the form by `act` and go to the document's page; what cannot be stored comes back."""
        if self.done():
            fields = {**self.form.cleaned_data, "contact": self.contact, "project": self.project, "currency": self.currency}
            lines = [form.cleaned_data for form in self.checked]
            try:
                document = act(fields=fields, lines=lines, actor=self.request.user, request=self.request)
            except NotPossible as fault:
                refuse(self.request, fault)
            else:
                messages.success(self.request, said)
                return redirect(page_url(document))
        return self.page(status=422 if self.request.method == "POST" and not self.wanted else 200)

    def totals(self) -> dict[str, Any] | None:
        """What the lines that are right so far come to; None for a discount that exceeds them."""
        writing = Writing({"language": (self.request.LANGUAGE_CODE or "en")[:2], "currency": self.currency})
        sheet = type(self.sheet)()
        if self.checked is not None:
            self.form.is_valid()
            said = [form.cleaned_data for form in self.checked if form.is_valid()]
            take(sheet, self.form.cleaned_data, (*SHEET_FIELDS, "deposit_percent", "deposit_amount"))
        else:
            said = self._stored_rows()
            take(sheet, {name: getattr(self.sheet, name) for name in _ASKED if hasattr(self.sheet, name)}, _ASKED)
        line_model = QuoteLine if isinstance(sheet, Quote) else InvoiceLine
        try:
            sheet.take_totals(sheet.reckon(made_lines(line_model, {}, said)))
        except ValueError:
            return None
        deducted = self._deducted()
        if deducted:
            sheet.take_totals(sheet.totals.minus([deposit.totals for deposit in deducted]))
        return {
            "deducted": [(one.number, writing.money(-(one.gross if sheet.vat_included else one.net))) for one in deducted],
            "discount": writing.money(-sheet.discount_total) if sheet.discount_total else "",
            "net": writing.money(sheet.net),
            "rates": [(writing.percent(row["rate"]), writing.money(row["vat"])) for row in sheet.by_rate],
            "gross": writing.money(sheet.gross),
            "deposit": writing.money(quote_deposit(sheet)) if isinstance(sheet, Quote) and quote_deposit(sheet) else "",
        }

    def _deducted(self) -> list[Deposit]:
        sheet = self.sheet
        return deposits_of(sheet.quote) if isinstance(sheet, Invoice) and sheet.kind in CLOSING and sheet.quote else []

    def page(self, *, status: int = 200) -> HttpResponse:
        kind = str(self.sheet._meta.model_name)
        context = {
            "form": self.form, "lines": self.lines, "totals": self.totals(), "kind": kind, "contact": self.contact, "project": self.project,
            "document": None if self.sheet._state.adding else self.sheet, "charges_vat": self.identity.charges_vat,
        }  # fmt: skip
        whole = not (self.request.htmx and self.wanted)
        if not whole and self.wanted == "add" and len(self.lines) == len(rows_said(self.request.POST)):
            return HttpResponse(status=204)  # there are as many as there may be: the page stays as it is
        template = "documents/sheet_form.html" if whole else "documents/_sheet_lines.html"
        return render(self.request, template, context, status=status)


_ASKED = ("vat_included", "discount_percent", "discount_amount", "reverse_charge", "deposit_percent", "deposit_amount")
