"""The trade: contacts, projects, photo sessions, and what happened to them. All of it belongs to an organization."""

from studio.models.calendars import CalendarEvent, SessionCalendar
from studio.models.contacts import Contact, ContactQuerySet
from studio.models.counts import StudioCount
from studio.models.imports import ContactImport, ContactOrigin
from studio.models.projects import Project, ProjectQuerySet
from studio.models.sessions import PhotoSession, PhotoSessionQuerySet
from studio.models.timeline import TimelineEntry, TimelineQuerySet

__all__ = [
    "CalendarEvent",
    "Contact",
    "ContactImport",
    "ContactOrigin",
    "ContactQuerySet",
    "PhotoSession",
    "PhotoSessionQuerySet",
    "Project",
    "ProjectQuerySet",
    "SessionCalendar",
    "StudioCount",
    "TimelineEntry",
    "TimelineQuerySet",
]
