"""What the post writes into a project's timeline."""

from django.utils.translation import gettext_lazy as _

from studio.timeline import Kind, register

register(
    {
        "email.scheduled": Kind(_("E-mail “%(subject)s” scheduled"), "clock"),
        "email.sent": Kind(_("E-mail “%(subject)s” sent"), "mail-check"),
        "email.failed": Kind(_("E-mail “%(subject)s” could not be sent"), "mail-x"),
    }
)
