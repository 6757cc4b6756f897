"""E-mail to clients: templates, from which server, and what is due when. No body is ever stored."""

from mailing.models.emails import ScheduledEmail, ScheduledEmailQuerySet
from mailing.models.files import AddedFile
from mailing.models.reminders import ReminderRule, ReminderStop
from mailing.models.sending_accounts import SendingAccount
from mailing.models.templates import EmailTemplate, TemplateVersion

__all__ = [
    "AddedFile", "EmailTemplate", "ReminderRule", "ReminderStop", "ScheduledEmail", "ScheduledEmailQuerySet", "SendingAccount",
    "TemplateVersion",
]  # fmt: skip
