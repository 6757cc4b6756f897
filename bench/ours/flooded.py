"""Our application with bcrypt at its lowest cost, and without a line of log for each refused request."""

import logging

from aaperture.wsgi import application as application
from accounts.passwords import BCryptSHA256TwelveRounds

BCryptSHA256TwelveRounds.rounds = 4
logging.getLogger("django.request").setLevel(logging.ERROR)
