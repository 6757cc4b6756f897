"""Who has only just come."""

from accounts.models import User
from accounts.services import studios
from studio.models import Contact
from tracker.models import Opportunity


def is_new_here(user: User) -> bool:
    """Nothing on the board, and nobody among the contacts: the way to the first opportunity is the first thing to say."""
    if Opportunity.objects.visible_to(user).exists():
        return False
    return not Contact.objects.for_organization(studios.current_membership(user).organization).exists()


def has_been_here(user: User) -> bool:
    return not is_new_here(user)
