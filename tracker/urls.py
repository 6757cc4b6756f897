from django.urls import path

from tracker.views import board, coach, conversion, export, opportunities, search, today

app_name = "tracker"
urlpatterns = [
    path("opportunities/", board.board, name="board"),
    path("opportunities/export.csv", export.export, name="export"),
    path("opportunities/found/", search.found, name="search_panel"),
    path("opportunities/add/", opportunities.opportunity_add, name="opportunity_add"),
    path("opportunities/<uuid:pk>/", opportunities.opportunity_detail, name="opportunity_detail"),
    path("opportunities/<uuid:pk>/edit/", opportunities.opportunity_edit, name="opportunity_edit"),
    path("opportunities/<uuid:pk>/move/", board.opportunity_move, name="opportunity_move"),
    path("opportunities/<uuid:pk>/done/", opportunities.task_done, name="task_done"),
    path("opportunities/<uuid:pk>/convert/", conversion.opportunity_convert, name="opportunity_convert"),
    path("opportunities/<uuid:pk>/merge/", opportunities.opportunity_merge, name="opportunity_merge"),
    path("opportunities/<uuid:pk>/delete/", opportunities.opportunity_delete, name="opportunity_delete"),
    path("today/opportunities/", today.needs, name="today_needs"),
    path("today/opportunities/stages/", today.stages, name="today_stages"),
    path("today/clients/", today.clients, name="today_clients"),
    path("coach/clients", coach.clients, name="coach_clients"),
    path("coach/clients/<uuid:pk>/", coach.client, name="coach_client"),
    path("opportunities/signals/<uuid:pk>/delete/", opportunities.signal_delete, name="signal_delete"),
]
