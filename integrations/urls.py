from django.urls import path

from integrations.views import connections, files, hooks, processing, runs, sources, today

app_name = "integrations"
urlpatterns = [
    path("connections/", connections.connection_list, name="connections"),
    path("connections/gmail/connect/", connections.gmail_connect, name="gmail_connect"),
    path("connections/calendar/connect/", connections.calendar_connect, name="calendar_connect"),
    path("connections/google/callback/", connections.google_callback, name="google_callback"),
    path("connections/sources/add/", sources.source_add, name="source_add"),
    path("connections/sources/add/<slug:provider>/", sources.source_new, name="source_new"),
    path("connections/sources/<uuid:pk>/", sources.source, name="source"),
    path("connections/sources/<uuid:pk>/test/", sources.source_test, name="source_test"),
    path("connections/sources/<uuid:pk>/run/", sources.source_run, name="source_run"),
    path("connections/<uuid:pk>/webhook/", sources.hook_secret, name="hook_secret"),
    path("datasets/<uuid:pk>/", sources.dataset, name="dataset"),
    path("datasets/<uuid:pk>/export/", sources.dataset_export, name="dataset_export"),
    path("datasets/<uuid:pk>/empty/", sources.dataset_empty, name="dataset_empty"),
    path("connections/<uuid:pk>/file/", files.file_add, name="file_add"),
    path("connections/<uuid:pk>/disconnect/", connections.disconnect, name="disconnect"),
    path("today/connections/", today.needs, name="today_needs"),
    path("processing/start", processing.start, name="processing_start"),
    path("processing/status", processing.status, name="processing_status"),
    path("hooks/<uuid:pk>", hooks.hook, name="hook"),
    path("runs/", runs.run_list, name="run_list"),
    path("runs/<uuid:pk>/", runs.run_detail, name="run_detail"),
    path("runs/<uuid:pk>/cancel/", runs.run_cancel, name="run_cancel"),
]
