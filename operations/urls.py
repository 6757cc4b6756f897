from django.urls import path

from operations import views
from operations.backups.pages import console_backups
from operations.maintenance.pages import console_cleanups
from operations.monitoring import health, metrics, page
from operations.privacy import views as privacy

urlpatterns = [
    path("console/figures", views.console_figures, name="console_figures"),
    path("today/alerts/", views.today_alerts, name="today_alerts"),
    path("console/keys", views.console_keys, name="console_keys"),
    path("console/cleanups", console_cleanups, name="console_cleanups"),
    path("console/backups", console_backups, name="console_backups"),
    path("console/monitoring", page.console_monitoring, name="console_monitoring"),
    path("health/live", health.health_live, name="health_live"),
    path("health/ready", health.health_ready, name="health_ready"),
    path("metrics", metrics.metrics, name="metrics"),
    path("settings/privacy/", privacy.overview, name="settings_privacy"),
    path("settings/privacy/objections/", privacy.objections, name="settings_privacy_objections"),
    path("settings/privacy/consents/<uuid:pk>/withdraw/", privacy.consent_withdraw, name="settings_privacy_consent"),
    path("settings/privacy/mail/", privacy.mail_details, name="settings_privacy_mail"),
    path("settings/privacy/export/", privacy.export_ask, name="settings_privacy_export"),
    path("settings/privacy/export/status/", privacy.export_status, name="settings_privacy_export_status"),
    path("settings/privacy/export/<uuid:pk>/download/", privacy.export_download, name="settings_privacy_download"),
    path("settings/privacy/erase/", privacy.erase, name="settings_privacy_erase"),
    path("account-closed/", privacy.closed, name="privacy_closed"),
    path("keep-account/", privacy.keep, name="privacy_keep"),
    path("keep-account/<str:token>/", privacy.withdraw_open, name="privacy_withdraw"),
]
