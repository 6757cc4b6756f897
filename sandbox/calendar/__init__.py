"""Google Calendar: calendars, events with ETags and sync tokens, free/busy."""
