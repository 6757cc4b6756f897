from django.contrib import admin
from django.urls import include, path

from accounts.api.urls import urlpatterns as accounts_api

api = ([*accounts_api], "api")
urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("integrations.urls")),
    path("", include("tracker.urls")),
    path("", include("operations.urls")),
    path("admin/", admin.site.urls),
    path("api/", include(api)),
]
handler400 = "accounts.views.errors.bad_request"
handler403 = "accounts.views.errors.permission_denied"
handler404 = "accounts.views.errors.not_found"
handler500 = "accounts.views.errors.server_error"
