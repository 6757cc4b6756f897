"""Everything of one person, table by table: what their export holds and what their privacy page counts.

Which fields of a table are given out follows from their class in the data classification: all but secrets. A test fails for a
table with personal fields that is neither here nor among `NOT_GIVEN`.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.apps import apps
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Membership, User
from operations.data_classification import tables
from vault.errors import SealedDataError

Mine = Callable[[User], Q]


class Part(NamedTuple):
    """One table of the export: its file's name, what it is called, whose rows."""

    name: str
    words: Any
    label: str
    mine: Mine
    page: str = ""  # the URL name of where it is seen and corrected
    without: frozenset[str] = frozenset()
    stays: bool = False  # its rows outlive the account, without the person


def _by(field: str) -> Mine:
    return lambda user: Q(**{field: user})


def _invitations(user: User) -> Q:
    owned = user.emailaddress_set.filter(verified=True).values_list("email", flat=True)  # type: ignore[attr-defined]  # allauth's, by its foreign key
    return Q(invited_by=user) | Q(email__in=list(owned))


def _of_own_studios(user: User) -> Q:
    """The business of the studios that somebody owns; colleagues are told by the studio itself."""
    owner = Membership.Role.OWNER
    return Q(organization__in=Membership.objects.current().filter(user=user, role=owner).values("organization"))


def _of_own_studios_by(parent: str) -> Mine:
    """The same for rows below one that belongs to a studio."""

    def mine(user: User) -> Q:
        owned = Membership.objects.current().filter(user=user, role=Membership.Role.OWNER).values("organization")
        return Q(**{f"{parent}__organization__in": owned})

    return mine


OTHERS_TRACES = frozenset({"actor_id", "credential", "credential_id", "address", "agent", "address_hash", "account_hash", "request_id"})
PARTS = (
    Part("account", _("Account"), "accounts.User", lambda user: Q(pk=user.pk), "settings_profile"),
    Part("email_addresses", _("E-mail addresses"), "account.EmailAddress", _by("user"), "account_email"),
    Part("email_confirmations", _("Confirmations under way"), "account.EmailConfirmation", _by("email_address__user"), "account_email"),
    Part(
        "sign_in_identities", _("Accounts elsewhere that open yours"), "socialaccount.SocialAccount",
        _by("user"), "socialaccount_connections",
    ),
    Part("second_factors", _("Second factors"), "mfa.Authenticator", _by("user"), "settings_security"),
    Part("sessions", _("Browser sessions"), "accounts.Session", _by("user"), "settings_security"),
    Part("api_sessions", _("API sessions"), "accounts.ApiSession", _by("user"), "settings_security"),
    Part("api_keys", _("API keys"), "accounts.ApiKey", _by("user"), "settings_api_keys"),
    Part("consents", _("Agreements"), "accounts.Consent", _by("user")),
    Part(
        "studios", _("Studios"), "accounts.Organization",
        lambda user: Q(memberships__user=user, memberships__ended_at=None), "settings_studio",
    ),
    Part("memberships", _("Places in studios"), "accounts.Membership", _by("user"), "settings_studio"),
    Part("invitations", _("Invitations"), "accounts.Invitation", _invitations, "settings_studio"),
    Part("contacts", _("Contacts"), "studio.Contact", _of_own_studios, "studio:contact_list"),
    Part("contact_imports", _("Imports of contacts"), "studio.ContactImport", _of_own_studios, "studio:contact_import"),
    Part(
        "contact_origins", _("Records that became contacts"), "studio.ContactOrigin", _of_own_studios, "studio:contact_import",
        frozenset({"record_hash"}),
    ),
    Part("projects", _("Projects"), "studio.Project", _of_own_studios, "studio:project_list"),
    Part("photo_sessions", _("Photo sessions"), "studio.PhotoSession", _of_own_studios, "studio:session_month"),
    Part("timeline", _("Timelines of projects"), "studio.TimelineEntry", _of_own_studios, "studio:project_list"),
    Part("document_identities", _("How the studio appears on documents"), "documents.Identity", _of_own_studios, "documents:settings"),
    Part("contract_templates", _("Contract templates"), "documents.ContractTemplate", _of_own_studios, "documents:settings"),
    Part("quotes", _("Quotes"), "documents.Quote", _of_own_studios, "documents:quote_list"),
    Part("quote_lines", _("Lines of quotes"), "documents.QuoteLine", _of_own_studios_by("quote"), "documents:quote_list"),
    Part("contracts", _("Contracts"), "documents.Contract", _of_own_studios, "documents:contract_list"),
    Part("invoices", _("Invoices"), "documents.Invoice", _of_own_studios, "documents:invoice_list"),
    Part("invoice_lines", _("Lines of invoices"), "documents.InvoiceLine", _of_own_studios_by("invoice"), "documents:invoice_list"),
    Part("payments", _("Payments"), "documents.Payment", _of_own_studios, "documents:invoice_list"),
    Part("acceptances", _("Records of what clients agreed to"), "documents.Acceptance", _of_own_studios, "documents:quote_list"),
    Part("client_links", _("Links for clients"), "documents.ClientLink", _of_own_studios, "documents:quote_list"),
    Part("number_series", _("Numbers of documents"), "documents.NumberSeries", _of_own_studios, "documents:settings"),
    Part("email_templates", _("Texts of e-mails"), "mailing.TemplateVersion", _of_own_studios_by("template"), "mailing:settings"),
    Part("sending_accounts", _("Accounts that mail is sent with"), "mailing.SendingAccount", _of_own_studios, "mailing:settings"),
    Part("scheduled_emails", _("E-mails to clients"), "mailing.ScheduledEmail", _of_own_studios, "mailing:email_list"),
    Part("added_files", _("Files added to e-mails"), "mailing.AddedFile", _of_own_studios, "mailing:email_list"),
    Part("stopped_reminders", _("Invoices without reminders"), "mailing.ReminderStop", _of_own_studios, "documents:invoice_list"),
    Part("coaching", _("Coaching"), "accounts.CoachLink", lambda user: Q(client=user) | Q(coach=user), "settings_coaches"),
    Part("connections", _("Connections"), "integrations.Connection", _by("owner"), "integrations:connections"),
    Part("calendars", _("Calendars of sessions"), "studio.SessionCalendar", _by("connection__owner"), "studio:session_month"),
    Part("calendar_events", _("Sessions in calendars"), "studio.CalendarEvent", _by("calendar__connection__owner"), "studio:session_month"),
    Part("pipelines", _("What is read, and when"), "integrations.Pipeline", _by("connection__owner"), "integrations:connections"),
    Part("scans", _("Scans"), "integrations.Run", _by("pipeline__connection__owner"), "integrations:run_list"),
    Part("steps_saved", _("Versions of steps you saved"), "integrations.TransformationVersion", _by("created_by")),
    Part("dataset_rows", _("Rows of datasets"), "integrations.DatasetRow", _by("owner"), "integrations:connections"),
    Part("source_files", _("Files of records under way"), "integrations.SourceFile", _by("connection__owner"), "integrations:connections"),
    Part(
        "deliveries", _("Deliveries under way"), "integrations.Delivery", _by("connection__owner"), "integrations:connections",
        frozenset({"digest"}),
    ),
    Part("scan_events", _("Events of scans"), "integrations.RunEvent", _by("run__pipeline__connection__owner"), "integrations:run_list"),
    Part("contributions", _("Contributions"), "billing.Contribution", _by("user"), "billing:contribute", stays=True),
    Part("monthly_contributions", _("Monthly contributions"), "billing.Subscription", _by("user"), "billing:contribute", stays=True),
    Part(
        "refunds", _("Refunds"), "billing.Refund", _by("contribution__user"), "billing:contribute", frozenset({"requested_by"}), stays=True
    ),
    Part("payment_pages", _("Visits to the payment page"), "billing.Checkout", _by("user"), "billing:contribute"),
    Part("promo_grants", _("Premium by code"), "billing.PromoGrant", _by("user"), "billing:contribute"),
    Part("opportunities", _("Opportunities"), "tracker.Opportunity", _by("owner"), "tracker:board"),
    Part("mails", _("Details of mails"), "tracker.Signal", _by("opportunity__owner"), "tracker:board"),
    Part("moves", _("Moves between stages"), "tracker.StageMove", _by("opportunity__owner"), "tracker:board"),
    Part("deleted_mails", _("Fingerprints of deleted mails"), "tracker.ForgottenSignal", _by("connection__owner")),
    Part("access_reviews", _("Lines in access reviews"), "operations.AccessReviewEntry", _by("user")),
    Part("data_exports", _("Copies of your data"), "operations.DataExport", _by("user")),
    Part("activity", _("Your activity"), "audit.Activity", lambda user: Q(actor_id=user.pk), "settings_security", stays=True),
    Part(
        "activity_about_you", _("What others did to your account"), "audit.Activity",
        lambda user: Q(target_id=str(user.pk)) & ~Q(actor_id=user.pk), "settings_security", without=OTHERS_TRACES, stays=True,
    ),
)  # fmt: skip

# Tables with personal fields that no export holds, and why.
NOT_GIVEN = {
    "audit.AlertNote": "what operators write about attacks, not about a person who uses the site",
    "operations.ExportChunk": "the copies themselves",
    "integrations.SourcePiece": "the content of a file that the person has brought, and that goes when it is read",
    "operations.BlockedNetwork": "networks that attack, not accounts",
    "billing.StripeEvent": "envelopes that say which object at Stripe changed; what changed is among the contributions",
    "billing.Difference": "what we and Stripe say differently, by Stripe's ids",
    "vault.KeySalt": "belongs to the instance's keys, to no person",
    "admin.LogEntry": "nothing is written",
    "socialaccount.SocialToken": "nothing is written",
    "axes.AccessFailureLog": "nothing is written",
    "axes.AccessAttempt": "nothing is written",
    "axes.AccessLog": "nothing is written",
}
REPEATED = frozenset({"canonical"})  # says once more what the columns beside it say


def rows_of(part: Part, user: User) -> QuerySet[Any]:
    """Whose rows they are is asked once more by every reader."""
    return apps.get_model(part.label)._default_manager.filter(part.mine(user)).order_by("pk").distinct()


def columns_of(part: Part) -> list[str]:
    """The fields that are given out, in the table's order: all but secrets."""
    fields = tables()[part.label].fields.values()
    return [field.name for field in fields if field.level != "secret" and field.name not in part.without | REPEATED]


def records(part: Part, user: User) -> Iterator[dict[str, Any]]:
    """Row by row, in values that JSON knows; never all at once in memory."""
    columns = columns_of(part)
    model = apps.get_model(part.label)
    secret = [name for name, field in tables()[part.label].fields.items() if field.level == "secret"]
    hidden = [name for name in secret if not model._meta.get_field(name).primary_key]
    for row in rows_of(part, user).defer(*hidden).iterator(chunk_size=500):
        yield {column: _plain(_value(row, column)) for column in columns}


def _value(row: Model, column: str) -> Any:
    try:
        return getattr(row, row._meta.get_field(column).attname)  # type: ignore[union-attr]  # a column, no relation from elsewhere
    except SealedDataError:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


class Held(NamedTuple):
    words: Any
    number: int
    page: str
    stays: bool


def held(user: User) -> list[Held]:
    """What there is of a person, counted, with where it is seen and corrected; nothing of what there is none of."""
    counted = [Held(part.words, rows_of(part, user).count(), part.page, part.stays) for part in PARTS]
    return [one for one in counted if one.number]
