from accounts.models import InstanceSettings, User


def is_premium(user: User) -> bool:
    """Whether `user` has what contributors get: kept mailbox access and scheduled reading.

    One instance setting decides: everyone, contributors or nobody. Nobody has contributed yet as long as
    this instance takes no contributions, so "contributors" answers no.
    """
    return bool(user.is_active) and InstanceSettings.current().premium_for == InstanceSettings.Premium.EVERYONE
