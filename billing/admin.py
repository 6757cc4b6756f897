"""The console of contributions: what came in, what Stripe said, what went back, and where we and Stripe disagree."""

from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import F, QuerySet, Sum
from django.db.models.functions import TruncMonth
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from aaperture.lib.big_lists import BigListMixin
from aaperture.lib.charts import Point, bar_chart
from aaperture.lib.console import ConsoleModelAdmin, ReadOnlyAdmin, console
from aaperture.lib.nudge import nudge
from accounts.admin.ending import operator
from accounts.services.users import step_up
from billing.amounts import shown, typed
from billing.forms import AmountField
from billing.models import Contribution, ContributionTerms, Difference, PromoCode, PromoGrant, StripeEvent, Subscription
from billing.services import events, monthly, promos, refunds, terms
from billing.tasks import apply_event, end_subscription, send_refund
from billing.wording import TONES

MONTHS = 12


def badge(row: Any) -> str:
    return format_html('<span class="badge {}">{}</span>', TONES.get(row.status, ""), row.get_status_display())


class RefundForm(forms.Form):
    amount = AmountField(label=_("Amount"))


@admin.register(Contribution, site=console)
class ContributionAdmin(BigListMixin, ReadOnlyAdmin):
    page = "pages.users"
    keyset = ("created_at", "id")
    list_display = ["created_at", "user", "sum", "rhythm", "state", "back"]
    list_display_links = ["created_at"]
    list_filter = ["status", "rhythm"]
    list_select_related = ["user"]
    fields = [
        "id", "user", "sum", "before_discounts", "rhythm", "state", "back", "paid_at", "period_end", "payment_intent", "invoice_id",
        "session_id", "created_at", "given_back",
    ]  # fmt: skip

    @admin.display(description=_("amount"), ordering="amount")
    def sum(self, row: Contribution) -> str:
        return shown(row.amount, row.currency)

    @admin.display(description=_("before discounts"))
    def before_discounts(self, row: Contribution) -> str:
        return shown(row.worth, row.currency)

    @admin.display(description=_("refunded"))
    def back(self, row: Contribution) -> str:
        return shown(row.amount_refunded, row.currency) if row.amount_refunded else "–"

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Contribution) -> str:
        return badge(row)

    @admin.display(description=_("refunds"))
    def given_back(self, row: Contribution) -> str:
        lines = ((date_format(one.requested_at, "SHORT_DATETIME_FORMAT"), shown(one.amount, row.currency), badge(one), one.error)
                 for one in row.refunds.order_by("requested_at"))  # fmt: skip
        return format_html_join(SafeString("<br>"), "{}: {} {} {}", lines) or "–"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.refund_view)
        return [path("<uuid:row_id>/refund/", view, name="billing_contribution_refund"), *super().get_urls()]

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and request.user.has_perm("billing.add_refund")

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        row = self.get_object(request, object_id)
        may = row is not None and self.has_refund_permission(request) and refunds.can_be_refunded(row)
        acts = [(_("Refund"), reverse("admin:billing_contribution_refund", args=[row.pk]))] if row and may else []
        return super().change_view(request, object_id, form_url, {"acts": acts, **(extra_context or {})})

    def refund_view(self, request: HttpRequest, row_id: UUID) -> HttpResponse:
        """All of it or a part; asks who it is first."""
        if not self.has_refund_permission(request):
            raise PermissionDenied
        row = get_object_or_404(Contribution, pk=row_id)
        if not refunds.can_be_refunded(row):
            raise Http404
        step_up(request)
        form = RefundForm(request.POST or None, initial={"amount": typed(row.left)})
        back = reverse("admin:billing_contribution_change", args=[row.pk])
        if request.method == "POST" and form.is_valid():
            try:
                refund = refunds.ask(row, form.cleaned_data["amount"], actor=operator(request), request=request)
            except ValidationError as error:
                form.add_error("amount", error)
            else:
                nudge(send_refund, refund.pk)
                self.message_user(request, _("The refund is on its way to Stripe."))
                return redirect(back)
        question = gettext("Of %(sum)s, %(left)s can be given back. It cannot be undone.")
        return self.operation_page(
            request, title=_("Refund"), form=form, button=_("Refund"), danger=True, back=back,
            question=question % {"sum": shown(row.amount, row.currency), "left": shown(row.left, row.currency)},
        )  # fmt: skip


@admin.register(Subscription, site=console)
class SubscriptionAdmin(ReadOnlyAdmin):
    page = "pages.users"
    list_display = ["started_at", "user", "sum", "state", "period_end", "ends_at_period_end"]
    list_display_links = ["started_at"]
    list_filter = ["status"]
    list_select_related = ["user"]
    ordering = ["-started_at"]
    fields = [
        "id", "user", "sum", "state", "is_paused", "started_at", "period_end", "ends_at_period_end", "end_requested_at", "ended_at",
        "stripe_id",
    ]  # fmt: skip

    @admin.display(description=_("amount"), ordering="amount")
    def sum(self, row: Subscription) -> str:
        return shown(row.amount, row.currency)

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Subscription) -> str:
        return badge(row)

    def get_urls(self) -> list[Any]:
        return [path("<uuid:row_id>/end/", self.admin_site.admin_view(self.end_view), name="billing_subscription_end"), *super().get_urls()]

    def has_end_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and request.user.has_perm("billing.end_subscription")

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        row = self.get_object(request, object_id)
        may = row is not None and self.has_end_permission(request) and row.is_live and row.end_requested_at is None
        acts = [(_("End it now"), reverse("admin:billing_subscription_end", args=[row.pk]))] if row and may else []
        return super().change_view(request, object_id, form_url, {"acts": acts, **(extra_context or {})})

    def end_view(self, request: HttpRequest, row_id: UUID) -> HttpResponse:
        if not self.has_end_permission(request):
            raise PermissionDenied
        row = get_object_or_404(Subscription.objects.live(), pk=row_id)
        step_up(request)
        back = reverse("admin:billing_subscription_change", args=[row.pk])
        if request.method == "POST":
            monthly.ask_to_end(row, actor=operator(request), request=request)
            nudge(end_subscription, row.pk)
            self.message_user(request, _("It is being ended at Stripe."))
            return redirect(back)
        return self.operation_page(
            request, title=_("End it now"), button=_("End it now"), danger=True, back=back,
            question=_("Nothing more is charged, and what it gives ends now. It cannot be undone."),
        )  # fmt: skip


@admin.register(StripeEvent, site=console)
class StripeEventAdmin(BigListMixin, ReadOnlyAdmin):
    page = "pages.monitoring"
    keyset = ("received_at", "id")
    list_display = ["received_at", "type", "state", "error", "attempts", "object_id"]
    list_display_links = ["received_at"]
    list_filter = ["status", "object_type"]
    fields = [
        "event_id", "type", "api_version", "livemode", "happened_at", "received_at", "object_type", "object_id", "payment_intent",
        "state", "error", "attempts", "applied_at",
    ]  # fmt: skip
    actions = ["retry"]

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: StripeEvent) -> str:
        return badge(row)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and request.user.has_perm("billing.retry_stripeevent")

    @admin.action(description=_("Apply again"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[StripeEvent]) -> None:
        again = events.retry(queryset, actor=operator(request), request=request)
        for pk in again:
            nudge(apply_event, pk)
        self.message_user(request, ngettext("%d event to be applied again.", "%d events to be applied again.", len(again)) % len(again))


@admin.register(Difference, site=console)
class DifferenceAdmin(ReadOnlyAdmin):
    page = "pages.monitoring"
    list_display = ["found_at", "kind", "object_type", "here", "there", "settled_at", "object_id"]
    list_display_links = ["found_at"]
    list_filter = ["kind", ("settled_at", admin.EmptyFieldListFilter)]
    ordering = ["-found_at"]


@admin.register(ContributionTerms, site=console)
class ContributionTermsAdmin(ConsoleModelAdmin):
    page = "pages.maintenance"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not ContributionTerms.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        terms.change(obj, form.changed_data, actor=operator(request), request=request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """There is one row, or none before the first change: its form, where a list would have nothing to choose from."""
        row = ContributionTerms.objects.first()
        if row is None and not self.has_add_permission(request):
            return super().changelist_view(request, extra_context)
        titled = {"title": _("Terms of contributions"), "subtitle": None, "show_save_and_add_another": False}
        return self.changeform_view(request, str(row.pk) if row else None, extra_context=titled | (extra_context or {}))

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        return super().get_model_perms(request) | {"add": False}


@admin.register(PromoCode, site=console)
class PromoCodeAdmin(ConsoleModelAdmin):
    page = "pages.maintenance"
    list_display = ["code", "days", "expires_at", "uses", "max_uses"]
    ordering = ["-created_at"]
    fields = ["code", "days", "expires_at", "max_uses", "uses"]
    readonly_fields = ["uses"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*self.readonly_fields, *(["code", "days"] if obj else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        promos.save_code(obj, actor=operator(request), request=request)


@admin.register(PromoGrant, site=console)
class PromoGrantAdmin(ReadOnlyAdmin):
    page = "pages.maintenance"
    list_display = ["granted_at", "user", "code", "ends_at", "revoked_at"]
    list_display_links = ["granted_at"]
    list_select_related = ["user", "code"]
    ordering = ["-granted_at"]
    actions = ["revoke"]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and request.user.has_perm("billing.change_promogrant")

    @admin.action(description=_("Withdraw"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[PromoGrant]) -> None:
        count = promos.revoke(queryset, actor=operator(request), request=request)
        self.message_user(request, ngettext("%d grant withdrawn.", "%d grants withdrawn.", count) % count)


def months_view(request: HttpRequest) -> HttpResponse:
    """What stayed of each of the last twelve months, by currency."""
    charts = [_months_chart(currency, totals) for currency, totals in _by_month().items()]
    context = {**console.each_context(request), "title": _("Contributions by month"), "charts": charts}
    return TemplateResponse(request, "billing/months.html", context)


def _by_month() -> dict[str, dict[date, int]]:
    first = _month(timezone.localdate(), 1 - MONTHS)
    kept = Contribution.objects.received().filter(paid_at__date__gte=first).exclude(status=Contribution.Status.LOST)
    rows = kept.annotate(month=TruncMonth("paid_at")).order_by().values_list("currency", "month")
    totals: dict[str, dict[date, int]] = {}
    for currency, month, cents in rows.annotate(total=Sum(F("amount") - F("amount_refunded"))):
        totals.setdefault(currency, {})[month.date()] = cents
    return totals


def _month(day: date, offset: int) -> date:
    months = day.year * 12 + day.month - 1 + offset
    return date(months // 12, months % 12 + 1, 1)


def _months_chart(currency: str, totals: dict[date, int]) -> dict[str, Any]:
    months = [_month(timezone.localdate(), n) for n in range(1 - MONTHS, 1)]
    points = [Point(date_format(day, "M"), date_format(day, "F Y"), round(totals.get(day, 0) / 100)) for day in months]
    title = gettext("Contributions by month, in %(currency)s") % {"currency": currency.upper()}
    description = gettext("What was received in each of the last twelve months, less refunds and lost disputes, in whole units.")
    columns = (gettext("Month"), currency.upper())
    return {
        "title": title,
        "picture": bar_chart(f"months-{currency}", title=title, description=description, columns=columns, points=points),
    }


console.add_page(
    "billing", _("Contributions by month"), months_view, route="billing/months/", url_name="billing_months",
    permission="pages.analytics",
)  # fmt: skip
