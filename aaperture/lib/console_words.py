"""What the console calls fields whose model gives them no words of their own: headings, filters and labels, by the field's name."""

from django.db.models import Field, Model
from django.utils.translation import gettext_lazy as _

HEADINGS = {
    "action": _("action"), "actor_id": _("identifier of who did it"), "actor_kind": _("kind of who did it"),
    "appointed_by": _("appointed by"), "at": _("recorded at"), "attempts": _("attempts"), "claimed_until": _("taken until"),
    "client": _("client"), "coach": _("coach"), "connection": _("connection"), "created_at": _("created at"),
    "credential": _("credential"), "destination": _("destination"), "details": _("details"), "due_at": _("due at"),
    "enabled": _("enabled"), "end_reason": _("why it ended"), "end_requested_at": _("end asked for at"), "ended_at": _("ended at"),
    "ended_by": _("ended by"), "error_reply": _("answer of the mail server"), "expire_date": _("expire date"),
    "expires_at": _("expires at"), "finished_at": _("finished at"), "heartbeat_at": _("last sign of life"),
    "is_archived": _("is archived"), "is_enabled": _("is enabled"), "item_id": _("item id"), "joined_at": _("joined at"),
    "keep_days": _("days kept"), "kind": _("kind"), "last_synced_at": _("last read at"), "level": _("severity"),
    "max_messages": _("In one run"), "max_per_day": _("In one day"), "max_seconds": _("Seconds"),
    "message_id": _("Message-ID of the mail"), "name": _("name"), "next_run_at": _("next run at"), "opened_by": _("opened by"),
    "organization_id": _("identifier of the studio"), "pipeline": _("pipeline"), "provider": _("provider"), "queued_at": _("queued at"),
    "recorded_at": _("recorded at"), "request_id": _("identifier of the request"), "role": _("role"), "schedule": _("schedule"),
    "second_factor": _("second factor"), "seen_at": _("seen at"), "send_at": _("wanted at"), "sent_at": _("sent at"),
    "signed_by": _("signed by"), "started_at": _("started at"), "status": _("status"), "stored_at": _("stored at"),
    "target_id": _("target id"), "target_type": _("target type"), "tested_at": _("tested at"), "text": _("text"),
    "transformation": _("transformation"), "transformation_version": _("version of the transformation"), "trigger": _("trigger"),
    "updated_at": _("updated at"), "user": _("account"),
}  # fmt: skip


def name_fields(model: type[Model]) -> None:
    """Migrations see nothing of it: they write down only words that a model gives itself."""
    for field in model._meta.get_fields():
        if isinstance(field, Field) and field.name in HEADINGS and "verbose_name" not in field.deconstruct()[2]:
            field.verbose_name = HEADINGS[field.name]
