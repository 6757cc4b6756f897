"""One run, whatever is read: who acts, how an ending is told, and what is done when access is lost."""

import logging
import threading
import time
import traceback
from abc import ABC, abstractmethod
from functools import cached_property

from accounts.models import User
from integrations.engine.fetching import Enough
from integrations.engine.ledger import Ledger, Outcome
from integrations.errors import (
    AccessWithdrawn,
    LeaseLost,
    NotConnected,
    OAuthUnavailable,
    Refused,
    Unauthorized,
    Unavailable,
)
from integrations.models import Connection, Run
from integrations.services import tokens

logger = logging.getLogger(__name__)


class Cancelled(Exception):
    """The owner asked to stop."""


def acting_user(run: Run) -> User | None:
    """The owner, in whose name background work reads; for what the instance owns whoever asked for the run, or the clock."""
    return run.pipeline.connection.owner or run.requested_by


class Reading(ABC):
    """One run from the first question to the last page."""

    unavailable = "google_unavailable"

    def __init__(self, run: Run) -> None:
        self.run = run
        self.pipeline = run.pipeline
        self.connection = run.pipeline.connection
        self.actor = acting_user(run)
        self.ledger = Ledger(run)
        self.stop = threading.Event()
        self.started = time.monotonic()

    def outcome(self) -> Outcome:
        """Read, and put whatever went wrong into a status and a reason a person can act upon."""
        try:
            return self._read()
        except (Cancelled, Enough):
            return Outcome(Run.Status.CANCELLED, "cancelled")
        except (NotConnected, AccessWithdrawn, Unauthorized) as error:
            return self._ended(self._access_lost(error.code))
        except Refused as error:
            Connection.objects.filter(pk=self.connection.pk).update(error_code=error.code)
            return self._ended(error.code)
        except (OAuthUnavailable, Unavailable):
            return self._ended(self.unavailable)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - its message may hold content; its type and place may not
            place = traceback.extract_tb(error.__traceback__)[-1]
            logger.error(
                "run failed",
                extra={"run": str(self.run.pk), "error": type(error).__name__, "at": f"{place.name}:{place.lineno}"},
            )
            return self._ended("internal_error")

    def _ended(self, reason: str) -> Outcome:
        return Outcome(Run.Status.PARTIAL if self.ledger.counts.read else Run.Status.FAILED, reason)

    def _access_lost(self, code: str) -> str:
        """Only the owner can help; the run's stop reason."""
        tokens.mark_needs_reauth(self.connection, code=code)
        return "needs_reauth"

    @cached_property
    def _left_today(self) -> int | None:
        """What this day's cap allowed when the run began; None without such a cap."""
        most = self.pipeline.max_per_day
        return None if most is None else max(most - self.pipeline.read_today(but=self.run), 0)

    @property
    def most(self) -> int:
        """How much this run may read."""
        left = self._left_today
        return self.pipeline.max_messages if left is None else min(self.pipeline.max_messages, left)

    @property
    def cap_reason(self) -> str:
        """Why a run that has read as much as it may ends."""
        return "message_cap" if self.most == self.pipeline.max_messages else "day_cap"

    @property
    def out_of_time(self) -> bool:
        return time.monotonic() - self.started > self.pipeline.max_seconds

    @abstractmethod
    def _read(self) -> Outcome:
        """Read until the end, a cap or a fault."""
