"""Gmail, read only: the narrow query's messages, whole but for attachments, which are never fetched."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock, local
from typing import Any

import httplib2
from django.conf import settings
from googleapiclient.errors import Error as GoogleError
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest

from aaperture.lib.mime import UnreadableMail, mail_from_gmail
from integrations import google_oauth, quota
from integrations.connectors.base import AccessToken, Listing, MailConnector, Position
from integrations.connectors.gmail_query import narrow_query
from integrations.errors import AccessWithdrawn, Gone, Refused, Unauthorized, Unavailable, Unreadable
from integrations.google_api import BROKEN_LINE, RATE_REASONS, described, no_redirects, reason_of
from integrations.items import Item

PAGE = 500
LONGEST_WAIT = 32.0


class GmailConnector(MailConnector):
    provider = "gmail"
    scopes = google_oauth.GMAIL_SCOPES
    parallel = 16

    def __init__(self, token: AccessToken, *, account: str, stopping: Callable[[float], bool]) -> None:
        super().__init__(token, account=account, stopping=stopping)
        self._users = described("gmail", "v1").users()
        self._messages = self._users.messages()
        self._budget = quota.gmail_budget(account)
        self._own = local()
        self._opened: list[httplib2.Http] = []
        self._lock = Lock()

    def check(self) -> str:
        return self._call(self._users.getProfile(userId="me"), units=1)["emailAddress"]

    def position(self, since: str) -> Position:
        if since:
            request = self._users.history().list(userId="me", startHistoryId=since, historyTypes="messageAdded", maxResults=1)
            try:
                answer = self._call(request, units=2)
                return Position(str(answer["historyId"]), changed=bool(answer.get("history")))
            except (Gone, Unreadable):
                pass  # Google forgot that far back, or never knew it: read by date, as always
        profile = self._call(self._users.getProfile(userId="me"), units=1)
        return Position(str(profile["historyId"]), changed=True)

    def list_ids(self, after: datetime | None, *, page: str = "") -> Listing:
        request = self._messages.list(userId="me", q=narrow_query(after=after), maxResults=PAGE, pageToken=page or None)
        answer = self._call(request, units=5)
        return Listing([message["id"] for message in answer.get("messages", [])], answer.get("nextPageToken", ""))

    def fetch(self, message_id: str) -> Item:
        resource = self._call(self._messages.get(userId="me", id=message_id, format="full"), units=5)
        try:
            return Item(
                id=message_id,
                thread_id=str(resource.get("threadId", "")),
                received_at=datetime.fromtimestamp(int(resource["internalDate"]) / 1000, tz=UTC),
                mail=mail_from_gmail(resource),
            )
        except UnreadableMail as error:
            raise Unreadable(detail=type(error).__name__) from None
        except Exception as error:  # noqa: BLE001 - one broken mail must never end a run
            raise Unreadable(detail=type(error).__name__) from None

    def close(self) -> None:
        with self._lock:
            for http in self._opened:
                http.close()
            self._opened.clear()

    def _http(self) -> httplib2.Http:
        """This thread's own kept connection; httplib2 is not thread-safe."""
        if not hasattr(self._own, "http"):
            http = no_redirects(settings.GMAIL_CALL_TIMEOUT)
            with self._lock:
                self._opened.append(http)
            self._own.http = http
        return self._own.http

    def _call(self, request: HttpRequest, *, units: int) -> dict[str, Any]:
        """Execute within the budget; 429, 5xx and broken lines are tried again with jittered back-off."""
        for attempt in range(settings.GMAIL_ATTEMPTS):
            self._budget.take(units)
            if self.stopping(0):
                break
            request.headers["authorization"] = f"Bearer {self.token.value}"
            try:
                return request.execute(http=self._http(), num_retries=0)
            except HttpError as error:
                asked = self._judge(error)
            except GoogleError:
                raise Unreadable(detail="answer") from None
            except BROKEN_LINE:
                asked = 0.0
            wait = min(LONGEST_WAIT, settings.GMAIL_FIRST_WAIT * 2**attempt)
            if self.stopping(max(asked, random.uniform(wait / 2, wait))):  # nosec B311 - jitter, no secret
                break
        raise Unavailable

    def _judge(self, error: HttpError) -> float:
        """Seconds Google asks to wait before another try; raises when trying again is no use."""
        status = error.resp.status
        if status == 401:
            raise Unauthorized from None
        if status == 404:
            raise Gone from None
        if status == 429 or (status == 403 and reason_of(error) in RATE_REASONS):
            asked = error.resp.get("retry-after", "")
            seconds = min(float(asked), LONGEST_WAIT) if asked.isdigit() else settings.GMAIL_FIRST_WAIT
            self._budget.penalise(seconds)
            return seconds
        if status == 403:
            raise (AccessWithdrawn if reason_of(error) == "insufficientPermissions" else Refused) from None
        if status < 500:
            raise Unreadable(detail=f"http_{status}") from None
        return 0.0
