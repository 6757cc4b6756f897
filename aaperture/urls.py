from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language
from django.contrib.auth.decorators import login_not_required

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("integrations.urls")),
    path("", include("tracker.urls")),
    path("language/", login_not_required(set_language), name="set_language"),
    path("admin/", admin.site.urls),
]
handler400 = "accounts.views.errors.bad_request"
handler403 = "accounts.views.errors.permission_denied"
handler404 = "accounts.views.errors.not_found"
handler500 = "accounts.views.errors.server_error"
