import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaperture.settings")
os.environ.setdefault("AAPERTURE_PROCESS", "web")

application = get_wsgi_application()
