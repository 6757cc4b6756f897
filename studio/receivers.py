"""What other apps tell this one: a grant for a calendar was given."""

from aaperture.lib.nudge import nudge
from integrations.grant_kinds import follow
from integrations.models import Connection
from studio.calendar import outbox
from studio.tasks import sync_calendar


def calendar_granted(connection: Connection) -> None:
    nudge(sync_calendar, outbox.begin(connection).pk)


follow(Connection.Provider.GOOGLE_CALENDAR, calendar_granted)
