from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("integrations.urls")),
    path("", include("tracker.urls")),
    path("", include("operations.urls")),
    path("admin/", admin.site.urls),
]
handler400 = "accounts.views.errors.bad_request"
handler403 = "accounts.views.errors.permission_denied"
handler404 = "accounts.views.errors.not_found"
handler500 = "accounts.views.errors.server_error"
