"""From a connection to the calls of its Google Calendar."""

from functools import partial

from accounts.models import User
from integrations.google_calendar import CalendarApi
from integrations.models import Connection
from integrations.services import tokens


def open_calendar(connection: Connection, *, acting_user: User | None, timeout: float = 20.0) -> CalendarApi:
    """Raises what `tokens.access_token_for` raises, and Refused."""
    token = tokens.access_token_for(connection, acting_user=acting_user)
    renew = partial(_renewed, connection, acting_user)
    return CalendarApi(token, renew=renew, timeout=timeout)


def _renewed(connection: Connection, acting_user: User | None, refused: str) -> str:
    return tokens.renewed_after_refusal(connection, acting_user=acting_user, refused=refused)


def check_calendar(connection: Connection, *, acting_user: User | None) -> None:
    """Whether it answers: asks for a calendar that is none."""
    with open_calendar(connection, acting_user=acting_user) as api:
        api.has_calendar("none")
