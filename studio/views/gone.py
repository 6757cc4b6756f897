from aaperture.lib.gone import missing_is_404
from studio.models import Contact, PhotoSession, Project

gone_is_404 = missing_is_404(Contact, Project, PhotoSession)
