from django.contrib import admin
from django.urls import include, path

from accounts.api.documentation import docs
from accounts.api.urls import urlpatterns as accounts_api
from integrations.api.urls import urlpatterns as integrations_api
from operations.api import urlpatterns as operations_api
from tracker.api import urlpatterns as tracker_api

api = ([*accounts_api, *integrations_api, *tracker_api, *operations_api], "api")
urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("billing.urls")),
    path("", include("integrations.urls")),
    path("", include("studio.urls")),
    path("", include("documents.urls")),
    path("", include("mailing.urls")),
    path("", include("tracker.urls")),
    path("", include("operations.urls")),
    path("admin/", admin.site.urls),
    path("api/", include(api)),
    path("docs", docs, name="docs"),
]
handler400 = "accounts.views.errors.bad_request"
handler403 = "accounts.views.errors.permission_denied"
handler404 = "accounts.views.errors.not_found"
handler429 = "accounts.views.errors.too_many"  # allauth asks for this one
handler500 = "accounts.views.errors.server_error"
