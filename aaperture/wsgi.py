import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaperture.settings")
os.environ.setdefault("AAPERTURE_PROCESS", "web")

application = get_wsgi_application()

from vault.startup import refuse_a_ring_that_does_not_fit  # noqa: E402 - its models exist now

refuse_a_ring_that_does_not_fit()
