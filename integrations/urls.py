from django.urls import path

from integrations.views import connections, files, hooks, processing, runs, today

app_name = "integrations"
urlpatterns = [
    path("connections/", connections.connection_list, name="connections"),
    path("connections/gmail/connect/", connections.gmail_connect, name="gmail_connect"),
    path("connections/calendar/connect/", connections.calendar_connect, name="calendar_connect"),
    path("connections/google/callback/", connections.google_callback, name="google_callback"),
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
