"""What runs stored."""

from tracker.models import Signal


def stored_ids() -> list[str]:
    """The provider's ids of every message that is kept, as often as it is."""
    return sorted(Signal.objects.values_list("message_id", flat=True))
