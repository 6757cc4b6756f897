"""The operator console of the trade: how many contacts, projects and sessions each studio has, never which."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import console
from accounts.admin.counts import Counted, StudioCountsAdmin, count_columns
from studio.models import Contact, ContactImport, PhotoSession, Project, StudioCount

COUNTED: dict[str, Counted] = {
    "contacts": Counted(_("contacts"), Contact),
    "projects": Counted(_("projects"), Project),
    "sessions": Counted(_("photo sessions"), PhotoSession),
    "imports": Counted(_("imports of contacts"), ContactImport),
}
COLUMNS = count_columns(COUNTED)


@admin.register(StudioCount, site=console)
class StudioCountAdmin(StudioCountsAdmin):
    counted = COUNTED
    list_display = ["id", *COLUMNS, "created_at"]
    fields = ["id", *COLUMNS, "created_at"]
