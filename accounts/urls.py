from django.urls import include, path

from accounts.views import api_keys, reports, security, site, today
from accounts.views import settings as own

site_urls = (
    [
        path("privacy/", site.privacy, name="privacy"),
        path("terms/", site.terms, name="terms"),
        path("security/", site.security, name="security"),
        path(".well-known/security.txt", site.security_txt, name="security_txt"),
    ],
    "site",
)
urlpatterns = [
    path("", today.today, name="home"),
    path("", include(site_urls)),
    path("auth/google", site.google_login, name="google_login"),
    path("accounts/", include("accounts.openid.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", security.second_factor, name="mfa_index"),  # in the place of allauth's
    path("accounts/2fa/authenticate/", security.second_step, name="mfa_authenticate"),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("accounts/social/", include("allauth.socialaccount.urls")),
    path("settings/", own.settings_index, name="settings"),
    path("settings/profile/", own.profile, name="settings_profile"),
    path("", include("accounts.studio_urls")),
    path("language/", own.choose_language, name="set_language"),
    path("settings/security/", security.security, name="settings_security"),
    path("settings/security/sessions/end/", security.end_other_sessions, name="settings_sessions_end"),
    path("settings/security/sessions/<str:reference>/end/", security.end_session, name="settings_session_end"),
    path("settings/api-keys/", api_keys.key_list, name="settings_api_keys"),
    path("settings/api-keys/create/", api_keys.key_create, name="settings_api_key_create"),
    path("settings/api-keys/<uuid:pk>/revoke/", api_keys.key_revoke, name="settings_api_key_revoke"),
    path("settings/api-keys/<uuid:pk>/secret/", api_keys.key_secret, name="settings_api_key_secret"),
    path("csp-report/", reports.csp_report, name="csp_report"),
]
