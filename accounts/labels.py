"""Words of allauth's forms that we translate ourselves: our catalogue is asked before theirs."""

from django.utils.translation import gettext_noop

WORDS = (
    gettext_noop("Password"),
    gettext_noop("Password (again)"),
    gettext_noop("Current Password"),
    gettext_noop("New Password"),
    gettext_noop("New Password (again)"),
    gettext_noop("Forgot your password?"),
    gettext_noop("A user is already registered with this email address."),
    gettext_noop("Please type your current password."),
    gettext_noop("Too many failed login attempts. Try again later."),
    gettext_noop("Code"),
    gettext_noop("Authenticator code"),
    gettext_noop("You cannot activate two-factor authentication until you have verified your email address."),
    gettext_noop("You must type the same password each time."),
)
