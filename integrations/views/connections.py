from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from aaperture.lib.nudge import nudge
from accounts.http import UserRequest
from audit.services import record_after
from billing.services import is_premium
from integrations import flows, google_oauth
from integrations.errors import IdTokenInvalid, IntegrationError, OAuthUnavailable, StateInvalid
from integrations.grant_kinds import CALENDAR, GMAIL, KINDS, GrantKind
from integrations.models import Connection, Run
from integrations.progress import Progress, panel
from integrations.services import connections, grants, pipelines, sources
from integrations.tasks import execute_run
from integrations.wording import CALENDAR_ADVICE, CALENDAR_GRANT_FAULTS, CONNECTION_ADVICE, GRANT_FAILED, GRANT_FAULTS, SOURCES


@require_GET
def connection_list(request: UserRequest) -> HttpResponse:
    """Every mailbox and calendar of the person, how it is doing and what to do about it."""
    mine = Connection.objects.visible_to(request.user).for_pages().working_first()
    own = list(mine.mailboxes())
    newest = Run.objects.visible_to(request.user).of_mailboxes().newest_per_pipeline()
    runs = {run.pipeline.connection_id: Progress(run) for run in newest}
    cards: list[dict[str, Any]] = [
        {
            "connection": connection,
            "advice": CONNECTION_ADVICE.get(connection.status, ""),
            "progress": runs.get(connection.pk),
        }
        for connection in own
    ]
    calendars = [{"connection": row, "advice": CALENDAR_ADVICE.get(row.status, "")} for row in mine.calendars()]
    context = {
        "cards": cards,
        "calendars": calendars,
        "sources": [(row, SOURCES[row.provider]) for row in sources.own(request.user)],
        "live": any(card["connection"].is_live for card in cards),
        "panel": panel(list(runs.values())),
    }
    return render(request, "integrations/connection_list.html", context)


@require_http_methods(["GET", "POST"])
def gmail_connect(request: UserRequest) -> HttpResponse:
    """GET explains what is read and kept; POST goes to Google for that grant alone."""
    again = request.GET.get("again") or request.POST.get("again") or ""
    connection = own_connection(request, again, GMAIL)
    premium = is_premium(request.user)
    if request.method == "POST" and (away := go_to_google(request, GMAIL, connection, keep=premium)):
        return away
    return render(request, "integrations/gmail_connect.html", {"connection": connection, "premium": premium})


@require_http_methods(["GET", "POST"])
def calendar_connect(request: UserRequest) -> HttpResponse:
    """The same for a calendar of one's sessions, a grant of its own."""
    again = request.GET.get("again") or request.POST.get("again") or ""
    connection = own_connection(request, again, CALENDAR)
    if request.method == "POST" and (away := go_to_google(request, CALENDAR, connection, keep=True)):
        return away
    return render(request, "integrations/calendar_connect.html", {"connection": connection})


def own_connection(request: UserRequest, pk: str, kind: GrantKind) -> Connection | None:
    """The connection that is to be renewed, if the person owns it."""
    try:
        return Connection.objects.visible_to(request.user).for_pages().filter(provider=kind.provider, pk=UUID(pk)).first()
    except ValueError:
        return None


def go_to_google(request: UserRequest, kind: GrantKind, connection: Connection | None, *, keep: bool) -> HttpResponse | None:
    """Away to Google's consent page, or None when it cannot be reached, which a message says."""
    if not settings.GOOGLE_ENABLED:
        return None
    pk = str(connection.pk) if connection else ""
    flow = flows.start(request.session, keep=keep, text_version=kind.text_version, connection_id=pk, provider=kind.provider)
    hint = connection.account_email if connection else ""
    asked = {"redirect_uri": _redirect_uri(), "state": flow.state, "nonce": flow.nonce, "verifier": flow.verifier}
    try:
        return redirect(google_oauth.authorization_url(**asked, keep=keep, scopes=kind.scopes, login_hint=hint))
    except OAuthUnavailable:
        messages.error(request, GRANT_FAULTS["oauth_unavailable"])
        return None


def _redirect_uri() -> str:
    return settings.PUBLIC_URL.rstrip("/") + reverse("integrations:google_callback")


@require_GET
def google_callback(request: UserRequest) -> HttpResponse:
    """Where Google sends the browser back to, with a code or a refusal."""
    try:
        flow = flows.take(request.session, request.GET.get("state", ""))
        if request.GET.get("iss", settings.GOOGLE_ISSUER).rstrip("/") != settings.GOOGLE_ISSUER.rstrip("/"):
            raise StateInvalid("issuer_mismatch")
    except StateInvalid as error:
        record_after(request, "oauth.state_refused", reason=error.code)
        return _refused(request)
    if "code" not in request.GET:
        return _denied(request, flow.provider, request.GET.get("error", ""))
    try:
        connection = grants.complete_grant(request.user, flow, code=request.GET["code"], redirect_uri=_redirect_uri(), request=request)
    except IdTokenInvalid as error:
        record_after(request, "oauth.state_refused", reason=error.code)
        return _refused(request)
    except IntegrationError as error:
        return _denied(request, flow.provider, error.code)
    return _connected(request, connection)


def _connected(request: UserRequest, connection: Connection) -> HttpResponse:
    """Start the first read at once: that is what the person came for."""
    if connection.provider == Connection.Provider.GOOGLE_CALENDAR:
        messages.success(request, _("Connected. We are writing your sessions into the calendar Aaperture now; you can leave this page."))
        return redirect("integrations:connections")
    pipeline = connection.pipelines.get(destination="opportunities")
    run = pipelines.start_run(pipeline, actor=request.user, trigger=Run.Trigger.CONNECTED, request=request)
    nudge(execute_run, run.pk)
    messages.success(request, _("Connected. We are reading your mailbox now; you can leave this page."))
    return redirect("integrations:connections")


def _refused(request: UserRequest) -> HttpResponse:
    return render(request, "integrations/grant_refused.html", {"explanation": GRANT_FAILED}, status=400)


def _denied(request: UserRequest, provider: str, code: str) -> HttpResponse:
    kind = KINDS[provider]
    known: dict[str, Any] = GRANT_FAULTS | (CALENDAR_GRANT_FAULTS if kind is CALENDAR else {})
    record_after(request, "connection.denied", reason=code if code in known else "other")
    messages.warning(request, known.get(code, GRANT_FAILED))
    return redirect(kind.url_name if code == "scopes_missing" else "integrations:connections")


@require_http_methods(["GET", "POST"])
def disconnect(request: UserRequest, pk: UUID) -> HttpResponse:
    connection = get_object_or_404(Connection.objects.visible_to(request.user).for_pages(), pk=pk)
    if request.method == "GET":
        return render(request, "integrations/connection_disconnect.html", {"connection": connection})
    ended = connections.disconnect(connection, actor=request.user, request=request)
    said = _disconnected_words(connection.provider == Connection.Provider.GOOGLE_CALENDAR)
    if ended.confirmed:
        messages.success(request, said[0])
    else:
        messages.warning(request, said[1])
    return redirect("integrations:connections")


def _disconnected_words(is_calendar: bool) -> tuple[str, str]:
    """What is said when Google has confirmed, and when it has not."""
    if is_calendar:
        return (
            _("Disconnected, and our keys to the calendar are deleted. What is in it stays in your Google account."),
            _("Disconnected: our keys to the calendar are deleted. Google did not confirm, so please also remove Aaperture "
              "at myaccount.google.com/permissions."),
        )  # fmt: skip
    return (
        _("Disconnected. Google has withdrawn our permission, and our keys to the mailbox are deleted."),
        _("Disconnected: our keys to the mailbox are deleted. Google did not confirm, so please also remove Aaperture "
          "at myaccount.google.com/permissions."),
    )  # fmt: skip
