from aaperture.lib.gone import missing_is_404
from tracker.models import Opportunity, Signal

gone_is_404 = missing_is_404(Opportunity, Signal)  # deleted, or merged
