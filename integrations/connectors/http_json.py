"""Any service that answers JSON over https: a list of objects, page by page, read whole each time.

The host is named by staff, so it goes through the client that reaches public addresses only. The next page must be on the same
host: the secret is for nobody else.
"""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import jmespath
from django.utils.translation import gettext_lazy as _

from aaperture.lib import safe_http
from integrations.connectors.base import Batch, Fault, Held, RecordConnector, Setting
from integrations.errors import AccessWithdrawn, Refused, Unavailable
from integrations.expressions import Budget, Expression
from integrations.items import Record

BATCH = 2000
MOST_PAGES = 10_000
LONGEST_ID = 255
ATTEMPTS, FIRST_WAIT, LONGEST_WAIT = 4, 1.0, 32.0
HEADER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
PRINTABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept", "accept-encoding", "user-agent"})
NO_AUTH, BEARER, HEADER = "none", "bearer", "header"
ONE_PAGE, BY_NUMBER, BY_LINK, BY_TOKEN = "none", "number", "link", "token"


class NoSuchPage(Refused):
    """Nothing is there (404): the end of what is numbered, for some."""


@dataclass(frozen=True)
class Place:
    """The page to be read next and how many of its records are dealt with. `page` is a number, an address or a token."""

    page: str = ""
    skip: int = 0

    @classmethod
    def load(cls, mark: str) -> Self:
        try:
            page, skip = json.loads(mark)
            return cls(str(page), int(skip))
        except (ValueError, TypeError):
            return cls()

    def dump(self) -> str:
        return json.dumps([self.page, self.skip]) if self.page or self.skip else ""


class HttpJsonConnector(RecordConnector):
    provider = "http_json"
    told_apart_by = ("url", "items")
    settings = (
        Setting("url", _("Address"), _("https:// and a public host. No keys in it: those go below, where they are sealed."), longest=2000),
        Setting("items", _("Where the list is"), _("JMESPath, such as data.items. Empty: the answer is the list."), required=False),
        Setting("id", _("What names a record"), _("JMESPath within a record, such as id."), initial="id"),
        Setting(
            "auth", _("How we identify ourselves"), initial=NO_AUTH,
            choices=((NO_AUTH, _("Not at all")), (BEARER, _("Authorization: Bearer …")), (HEADER, _("Another header"))),
        ),
        Setting("header", _("Name of that header"), _("Such as X-Api-Key."), required=False, longest=64),
        Setting("secret", _("Secret"), _("Sealed, and never shown again."), required=False, secret=True, longest=4096),
        Setting(
            "paging", _("More pages"), initial=ONE_PAGE,
            choices=((ONE_PAGE, _("None")), (BY_NUMBER, _("By number, until one is empty")), (BY_LINK, _("By a link in the answer")),
                     (BY_TOKEN, _("By a token in the answer"))),
        ),
        Setting("page_parameter", _("Parameter with the page’s number or token"), required=False, longest=64, initial="page"),
        Setting("next", _("Where that link or token is"), _("JMESPath, such as links.next."), required=False),
    )  # fmt: skip

    def __init__(self, config: Mapping[str, str], secret: str, *, stopping: Callable[[float], bool], held: Held = None) -> None:
        super().__init__(config, secret, stopping=stopping, held=held)
        self._http = safe_http.session()

    @classmethod
    def faults(cls, values: Mapping[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not safe_http.may_be_asked(values["url"]):
            found["url"] = _("Write an address that begins with https:// and names a public host.")
        for name in ("items", "id", "next"):
            try:
                if values[name]:
                    Expression(values[name])
            except ValueError:
                found[name] = _("This is no JMESPath expression.")
        if values["auth"] != NO_AUTH and not PRINTABLE.fullmatch(values["secret"]):
            found["secret"] = _("Give the secret, in plain characters without spaces around it.")
        if values["auth"] == HEADER and (not HEADER_NAME.fullmatch(values["header"]) or values["header"].lower() in OURS):
            found["header"] = _("This is no name of a header that we may set.")
        if values["paging"] in (BY_NUMBER, BY_TOKEN) and not values["page_parameter"]:
            found["page_parameter"] = _("Name the parameter.")
        if values["paging"] in (BY_LINK, BY_TOKEN) and not values["next"]:
            found["next"] = _("Say where it is.")
        return found

    @property
    def marks_are_secret(self) -> bool:
        """What leads to the next page is the source's own words, and may hold a key."""
        return self.config["paging"] in (BY_LINK, BY_TOKEN)

    @classmethod
    def wants_secret(cls, values: Mapping[str, str]) -> bool:
        return values["auth"] != NO_AUTH

    def check(self) -> str:
        """How many records the first page has; raises what reading would."""
        return str(len(self._items(self._page(Place()))))

    def read(self, mark: str) -> Iterator[Batch]:
        place = Place.load(mark)
        for _page in range(MOST_PAGES):
            try:
                document = self._page(place)
            except NoSuchPage:
                if place.page and self.config["paging"] == BY_NUMBER:
                    return
                raise
            items, following = self._items(document), self._following(place, document)
            for start in range(place.skip, len(items), BATCH):
                done = start + BATCH >= len(items)
                after = Place(following or "", 0) if done else Place(place.page, start + BATCH)
                yield self._batch(items[start : start + BATCH], after)
            if not following or (not items and self.config["paging"] == BY_NUMBER):
                return
            if following == place.page:
                break
            place = Place(following)
        raise Refused("feed_endless")

    def close(self) -> None:
        self._http.close()

    @cached_property
    def _find_items(self) -> Expression:
        return Expression(self.config["items"] or "@")

    @cached_property
    def _find_id(self) -> Expression:
        return Expression(self.config["id"] or "id")

    def _batch(self, items: list[Any], after: Place) -> Batch:
        budget = Budget()  # for all of them: together they are no more than the answer
        records = [record for item in items if (record := self._record(item, budget)) is not None]
        return Batch(records, [Fault("quarantined", "no id")] * (len(items) - len(records)), after.dump())

    def _record(self, item: Any, budget: Budget) -> Record | None:
        """None for what has no name of its own: it could not be told from another."""
        name = _searched(self._find_id, item, budget) if isinstance(item, dict) else None
        if isinstance(name, bool) or not isinstance(name, str | int) or not 0 < len(str(name)) <= LONGEST_ID:
            return None
        return Record(str(name), item)

    def _items(self, document: Any) -> list[Any]:
        items = _searched(self._find_items, document)
        if not isinstance(items, list):
            raise Refused("feed_unreadable")
        return items

    def _following(self, place: Place, document: Any) -> str:
        """The page after this one, or nothing."""
        if self.config["paging"] == BY_NUMBER:
            return str(int(place.page or "1") + 1)
        if self.config["paging"] in (BY_LINK, BY_TOKEN) and (found := _searched(Expression(self.config["next"]), document)):
            return str(found) if self.config["paging"] == BY_TOKEN else urljoin(self._url(place), str(found))
        return ""

    def _url(self, place: Place) -> str:
        first, paging = self.config["url"], self.config["paging"]
        page = place.page or ("1" if paging == BY_NUMBER else "")
        if paging in (BY_NUMBER, BY_TOKEN) and page:
            parts = urlsplit(first)
            name = self.config["page_parameter"]
            query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != name]
            return urlunsplit(parts._replace(query=urlencode([*query, (name, page)])))
        return page or first

    def _page(self, place: Place) -> Any:
        """One page, parsed."""
        url = self._url(place)
        if urlsplit(url).netloc.lower() != urlsplit(self.config["url"]).netloc.lower():
            raise Refused("feed_elsewhere")
        body = self._body(url)
        try:
            return json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Refused("feed_unreadable") from None

    def _body(self, url: str) -> bytes:
        """Asked again with jittered back-off where that may help."""
        for attempt in range(ATTEMPTS):
            if self.stopping(0):
                break
            try:
                answer = safe_http.ask(url, headers=self._headers(), http=self._http)
            except safe_http.UnsafeAddress:
                raise Unavailable("feed_unreachable") from None
            if 200 <= answer.status < 300:
                return answer.body
            if answer.status in (401, 403):
                raise AccessWithdrawn("feed_access_refused")
            if answer.status < 500 and answer.status != 429:
                raise (NoSuchPage if answer.status == 404 else Refused)("feed_refused")
            wait, asked = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt), answer.headers.get("retry-after", "")
            seconds = min(float(asked), LONGEST_WAIT) if asked.isdecimal() and asked.isascii() else 0.0
            if self.stopping(max(seconds, random.uniform(wait / 2, wait))):  # nosec B311 - jitter, no secret
                break
        raise Unavailable("feed_unavailable")

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "Aaperture"}
        if self.config["auth"] == BEARER:
            headers["Authorization"] = f"Bearer {self.secret}"
        elif self.config["auth"] == HEADER:
            headers[self.config["header"]] = self.secret
        return headers


def _searched(expression: Expression, data: Any, budget: Budget | None = None) -> Any:
    """What the expression finds; what it cannot be applied to holds nothing."""
    try:
        return expression.search(data, budget)
    except (jmespath.exceptions.JMESPathError, TypeError, ValueError, RecursionError):
        return None


def _no_constant(name: str) -> Any:
    raise ValueError(name)
