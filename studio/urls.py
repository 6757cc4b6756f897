from django.urls import path

from studio.views import calendar, contacts, imports, projects, search, sessions, today

app_name = "studio"
urlpatterns = [
    path("search/", search.search, name="search"),
    path("today/holds/", today.needs, name="today_needs"),
    path("today/sessions/", today.sessions, name="today_sessions"),
    path("contacts/", contacts.contact_list, name="contact_list"),
    path("contacts/add/", contacts.contact_add, name="contact_add"),
    path("contacts/export.csv", contacts.contact_export, name="contact_export"),
    path("contacts/import/", imports.contact_import, name="contact_import"),
    path("contacts/import/<uuid:pk>/", imports.contact_import_preview, name="contact_import_preview"),
    path("contacts/import/<uuid:pk>/undo/", imports.contact_import_undo, name="contact_import_undo"),
    path("contacts/<uuid:pk>/", contacts.contact_detail, name="contact_detail"),
    path("contacts/<uuid:pk>/edit/", contacts.contact_edit, name="contact_edit"),
    path("contacts/<uuid:pk>/delete/", contacts.contact_delete, name="contact_delete"),
    path("projects/", projects.project_list, name="project_list"),
    path("projects/add/", projects.project_add, name="project_add"),
    path("projects/<uuid:pk>/", projects.project_detail, name="project_detail"),
    path("projects/<uuid:pk>/edit/", projects.project_edit, name="project_edit"),
    path("projects/<uuid:pk>/client/", projects.project_client, name="project_client"),
    path("projects/<uuid:pk>/move/", projects.project_move, name="project_move"),
    path("projects/<uuid:pk>/delete/", projects.project_delete, name="project_delete"),
    path("projects/<uuid:pk>/notes/", projects.note_add, name="note_add"),
    path("projects/<uuid:pk>/sessions/add/", sessions.session_add, name="session_add"),
    path("projects/notes/<uuid:pk>/remove/", projects.note_remove, name="note_remove"),
    path("sessions/", calendar.session_month, name="session_month"),
    path("sessions/agenda/", calendar.session_agenda, name="session_agenda"),
    path("sessions/that-day/", calendar.session_that_day, name="session_that_day"),
    path("sessions/add/", sessions.session_choose_project, name="session_choose_project"),
    path("sessions/<uuid:pk>/", sessions.session_detail, name="session_detail"),
    path("sessions/<uuid:pk>/edit/", sessions.session_edit, name="session_edit"),
    path("sessions/<uuid:pk>/move/", sessions.session_move, name="session_move"),
    path("sessions/<uuid:pk>/delete/", sessions.session_delete, name="session_delete"),
]
