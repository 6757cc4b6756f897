"""The console of who has what: the matrix to read, the quarterly review to decide and sign."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import ReadOnlyAdmin, console
from aaperture.lib.csv_safe import csv_response
from accounts.admin.ending import operator
from accounts.protections import require_admin
from accounts.roles import Role
from accounts.services.users import step_up
from audit.services import record
from operations import access_matrix, alert_pages, key_pages  # noqa: F401 - some add pages of their own
from operations.analytics import page as analytics_page  # noqa: F401 - registers its pages
from operations.backups import pages as backup_pages  # noqa: F401 - registers its pages
from operations.containment import pages as containment_pages  # noqa: F401 - registers its pages
from operations.maintenance import pages as maintenance_pages  # noqa: F401 - registers its pages
from operations.models import AccessReview, AccessReviewEntry
from operations.monitoring import page as monitoring_page  # noqa: F401 - registers its pages
from operations.privacy import desk  # noqa: F401 - registers its pages
from operations.services import access_reviews

LIST = "admin:operations_accessreview_changelist"


def matrix_view(request: HttpRequest) -> HttpResponse:
    context = {
        **console.each_context(request), "title": _("Access matrix"), "groups": access_matrix.matrix(),
        "columns": [role.label for role in access_matrix.COLUMNS], "holders": access_matrix.holders(),
        "span": len(access_matrix.COLUMNS) + 1,
    }  # fmt: skip
    return TemplateResponse(request, "operations/access_matrix.html", context)


console.add_page(
    "operations", _("Access matrix"), matrix_view, route="operations/access-matrix/", url_name="operations_access_matrix",
    permission="pages.users",
)  # fmt: skip


class SignForm(forms.Form):
    note = forms.CharField(label=_("Note"), max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3}))


@admin.register(AccessReview, site=console)
class AccessReviewAdmin(ReadOnlyAdmin):
    page = "pages.users"
    list_display = ["quarter", "opened_at", "opened_by", "signed_at", "signed_by"]
    list_select_related = ["opened_by", "signed_by"]
    ordering = ["-quarter"]

    def get_urls(self) -> list[Any]:
        views: dict[str, Any] = {"open/": (self.open_view, "operations_accessreview_open")}
        views["<uuid:review_id>/sign/"] = (self.sign_view, "operations_accessreview_sign")
        views["<uuid:review_id>/export/"] = (self.export_view, "operations_accessreview_export")
        own = [path(route, self.admin_site.admin_view(view), name=name) for route, (view, name) in views.items()]
        return [*own, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and operator(request).role == Role.ADMIN

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("admin:operations_accessreview_open")

    def open_view(self, request: HttpRequest) -> HttpResponse:
        self._require_admin(request)
        if request.method == "POST":
            review = access_reviews.open_review(operator(request), request)
            return redirect("admin:operations_accessreview_change", review.pk)
        quarter = access_reviews.quarter_of(timezone.localdate())
        return self.operation_page(
            request, title=gettext("Open the review of %(quarter)s") % {"quarter": quarter},
            button=_("Open the review"), back=reverse(LIST),
            question=_("It lists every staff account and every coach as they are now. Each is kept as it is, or marked to be changed."),
        )  # fmt: skip

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        review = self._review(request, object_id)
        if request.method == "POST":
            self._decide(request, review)
            return redirect("admin:operations_accessreview_change", review.pk)
        entries = review.entries.select_related("user", "decided_by").order_by("user__role", "user__email")
        context = {
            **self.admin_site.each_context(request), "title": gettext("Access review %(quarter)s") % {"quarter": review.quarter},
            "opts": self.opts, "original": review, "review": review, "entries": list(entries), "roles": dict(Role.choices),
            "decisions": AccessReviewEntry.Decision.choices,
            "may_decide": review.signed_at is None and operator(request).role == Role.ADMIN,
        }  # fmt: skip
        return TemplateResponse(request, "operations/access_review.html", context)

    def _decide(self, request: HttpRequest, review: AccessReview) -> None:
        self._require_admin(request)
        known = {str(pk): pk for pk in review.entries.values_list("pk", flat=True)}
        decisions: dict[UUID, str] = {pk: request.POST[name] for name, pk in known.items() if request.POST.get(name)}
        try:
            access_reviews.decide(review, decisions, actor=operator(request), request=request)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), "error")
        else:
            self.message_user(request, _("Saved."))

    def sign_view(self, request: HttpRequest, review_id: UUID) -> HttpResponse:
        review = self._review(request, str(review_id))
        self._require_admin(request)
        step_up(request)
        form = SignForm(request.POST or None)
        back = reverse("admin:operations_accessreview_change", args=[review.pk])
        if request.method == "POST" and form.is_valid():
            try:
                access_reviews.sign(review, note=form.cleaned_data["note"], actor=operator(request), request=request)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                self.message_user(request, _("Signed off."))
                return redirect(back)
        question = _("With your signature the review is closed: nothing of it can be changed any more.")
        title = gettext("Sign off %(quarter)s") % {"quarter": review.quarter}
        return self.operation_page(request, title=title, question=question, form=form, button=_("Sign off"), back=back)

    def export_view(self, request: HttpRequest, review_id: UUID) -> Any:
        review = self._review(request, str(review_id))
        if not request.user.has_perm("operations.export_data"):
            raise PermissionDenied
        record("access_review.exported", review, request=request, quarter=review.quarter)
        header = ["account", "role", "active", "last login", "second factor", "open keys", "decision", "decided by", "decided at"]
        entries = review.entries.select_related("user", "decided_by").order_by("user__role", "user__email")
        rows = (
            [one.user.email, one.role, one.is_active, one.last_login, one.second_factor, one.open_keys, one.decision,
             one.decided_by.email if one.decided_by else "", one.decided_at]
            for one in entries
        )  # fmt: skip
        return csv_response(f"access-review-{review.quarter}.csv", header, rows)

    def _review(self, request: HttpRequest, object_id: str) -> AccessReview:
        if not self.has_view_permission(request):
            raise PermissionDenied
        review = self.get_object(request, object_id)
        if review is None:
            raise Http404
        return review

    def _require_admin(self, request: HttpRequest) -> None:
        if not self.has_page(request):
            raise PermissionDenied
        require_admin(operator(request))
