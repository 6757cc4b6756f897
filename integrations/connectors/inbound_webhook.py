"""Another system calls us: what it signed and we stored is read from here. Who may deliver stands in `integrations.services.deliveries`."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar, cast

import jmespath
from django.utils.translation import gettext_lazy as _

from integrations.connectors.base import Batch, Fault, Held, HeldDeliveries, RecordConnector, Setting
from integrations.errors import Refused
from integrations.expressions import Expression
from integrations.items import Record

BATCH = 500  # deliveries; each may hold several records
LONGEST_ID = 255


class InboundWebhookConnector(RecordConnector):
    provider = "inbound_webhook"
    holds: ClassVar[str] = "deliveries"
    makes_secret: ClassVar[bool] = True
    settings = (
        Setting("items", _("Where the list is"), _("JMESPath, such as data.items. Empty: each delivery is one record, or a list of them."),
                required=False),
        Setting("id", _("What names a record"), _("JMESPath within a record, such as id. Empty: all that it says."), required=False),
    )  # fmt: skip

    def __init__(self, config: Mapping[str, str], secret: str, *, stopping: Callable[[float], bool], held: Held = None) -> None:
        super().__init__(config, secret, stopping=stopping, held=held)
        self._deliveries = cast("HeldDeliveries | None", held)

    @classmethod
    def faults(cls, values: Mapping[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in ("items", "id"):
            try:
                if values[name]:
                    Expression(values[name])
            except ValueError:
                found[name] = _("This is no JMESPath expression.")
        return found

    def check(self) -> str:
        """How many deliveries wait. There is nobody to ask: what proves the rest is a delivery."""
        if not self.secret or self._deliveries is None:
            raise Refused("hook_without_secret")
        return str(self._deliveries.count())

    def read(self, mark: str) -> Iterator[Batch]:
        """What waits, in the order of arrival; `mark` matters within one reading only, since what is stored waits no longer."""
        held, after = self._deliveries, ""
        while held is not None and (taken := held.take(after, BATCH)):
            records: list[Record] = []
            faults: list[Fault] = []
            for name, body in taken:
                self._read_one(name, body, records, faults)
            names = [name for name, _body in taken]
            after = names[-1]
            yield Batch(records, faults, after, lambda names=names: held.settle(names))  # type: ignore[misc]  # mypy infers no lambda with a default

    @cached_property
    def _items(self) -> Expression:
        return Expression(self.config["items"] or "@")

    @cached_property
    def _id(self) -> Expression | None:
        return Expression(self.config["id"]) if self.config["id"] else None

    def _read_one(self, name: str, body: str, records: list[Record], faults: list[Fault]) -> None:
        try:
            found = self._items.search(json.loads(body, parse_constant=_no_constant))
        except (ValueError, RecursionError, TypeError, jmespath.exceptions.JMESPathError):
            faults.append(Fault("hook_unreadable", name))
            return
        for item in found if isinstance(found, list) else [found]:
            record = self._record(item)
            if record is None:
                faults.append(Fault("hook_no_record", name))
            else:
                records.append(record)

    def _record(self, item: Any) -> Record | None:
        if not isinstance(item, dict):
            return None
        try:
            name = self._id.search(item) if self._id else hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()[:40]
        except (ValueError, RecursionError, TypeError, jmespath.exceptions.JMESPathError):  # read just so, it may be too deep to be written
            return None
        if isinstance(name, bool) or not isinstance(name, str | int) or not 0 < len(str(name)) <= LONGEST_ID:
            return None
        return Record(str(name), item)


def _no_constant(name: str) -> Any:
    raise ValueError(name)
