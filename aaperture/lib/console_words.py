"""What the console calls fields whose model gives them no words of their own: headings, filters and labels, by the field's name."""

from django.db.models import Field, Model
from django.utils.translation import gettext_lazy as _

HEADINGS = {
    "action": _("action"), "attempts": _("attempts"), "connection": _("connection"), "created_at": _("created at"),
    "credential": _("credential"), "destination": _("destination"), "due_at": _("due at"), "enabled": _("enabled"),
    "expire_date": _("expire date"), "expires_at": _("expires at"), "is_archived": _("is archived"), "is_enabled": _("is enabled"),
    "item_id": _("item id"), "kind": _("kind"), "name": _("name"), "next_run_at": _("next run at"), "opened_by": _("opened by"),
    "pipeline": _("pipeline"), "provider": _("provider"), "queued_at": _("queued at"), "recorded_at": _("recorded at"),
    "schedule": _("schedule"), "second_factor": _("second factor"), "seen_at": _("seen at"), "sent_at": _("sent at"),
    "signed_by": _("signed by"), "stored_at": _("stored at"), "target_id": _("target id"), "target_type": _("target type"),
    "tested_at": _("tested at"), "trigger": _("trigger"), "updated_at": _("updated at"),
}  # fmt: skip


def name_fields(model: type[Model]) -> None:
    """Migrations see nothing of it: they write down only words that a model gives itself."""
    for field in model._meta.get_fields():
        if isinstance(field, Field) and field.name in HEADINGS and "verbose_name" not in field.deconstruct()[2]:
            field.verbose_name = HEADINGS[field.name]
