"""Lists of what belongs to somebody and can be ended: sessions, API keys, coach links. They follow the matrix' users rows."""

from typing import Any, ClassVar, cast

from django.contrib import admin
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import ReadOnlyAdmin
from accounts import protections
from accounts.models import User
from accounts.roles import OPERATIONS


def operator(request: HttpRequest) -> User:
    """The console lets nobody in who is not signed in."""
    return cast("User", request.user)


class EndingAdmin(ReadOnlyAdmin):
    """A read-only list with one operation per row, which asks first."""

    page = "pages.users"
    end_label: ClassVar[Any] = ""
    end_question: ClassVar[Any] = ""
    end_done: ClassVar[Any] = ""

    def is_open(self, row: Any) -> bool:
        raise NotImplementedError

    @admin.display(description=_("account"))
    def whose(self, row: Any) -> str:
        return self.owner_of(row).email

    def owner_of(self, row: Any) -> User:
        return row.user

    def said(self, row: Any) -> str:
        """What tells the row from others of the same account."""
        return str(row)

    def end(self, request: HttpRequest, row: Any) -> None:
        """Call the service."""
        raise NotImplementedError

    def key_of(self, row: Any) -> str:
        """What names the row in addresses."""
        return str(row.pk)

    def row_of(self, request: HttpRequest, key: str) -> Model | None:
        return self.get_object(request, key)

    # --- pages -----------------------------------------------------------------------------------------------------

    def end_url(self, row: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_end", args=[self.key_of(row)])

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_end"
        return [path("end/<str:key>/", self.admin_site.admin_view(self.end_view), name=name), *super().get_urls()]

    def _may_end(self, request: HttpRequest, row: Any) -> bool:
        return self.has_page(request) and self.is_open(row) and protections.allows(operator(request), self.owner_of(row), "edit")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        columns = list(super().get_list_display(request))
        if not request.user.has_perm(OPERATIONS["users", "edit"][0]):
            return columns

        @admin.display(description="")
        def end_link(row: Any) -> SafeString | str:
            return format_html('<a href="{}">{}</a>', self.end_url(row), self.end_label) if self._may_end(request, row) else ""

        return [*columns[:2], end_link, *columns[2:]]  # where it is seen without scrolling

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        row = self.get_object(request, object_id)
        acts = [(self.end_label, self.end_url(row))] if row is not None and self._may_end(request, row) else []
        return super().change_view(request, object_id, form_url, {"acts": acts, **(extra_context or {})})

    def end_view(self, request: HttpRequest, key: str) -> HttpResponse:
        row = self.row_of(request, key)
        if row is None:
            raise Http404
        protections.check(operator(request), self.owner_of(row), "edit", request)
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        if request.method == "POST":
            self.end(request, row)
            self.message_user(request, self.end_done)
            return redirect(back)
        subjects = [{"id": "", "label": f"{self.owner_of(row).email} – {self.said(row)}", "note": ""}]
        return self.operation_page(
            request, title=self.end_label, question=self.end_question, subjects=subjects, button=self.end_label, back=back, danger=True
        )
