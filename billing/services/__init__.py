"""What other apps may ask of contributions."""

from .monthly import close as end_contributions
from .monthly import end_at_stripe
from .premium import is_premium

__all__ = ["end_at_stripe", "end_contributions", "is_premium"]
