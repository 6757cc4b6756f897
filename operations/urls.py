from django.urls import path

from operations import views

urlpatterns = [
    path("console/figures", views.console_figures, name="console_figures"),
    path("console/keys", views.console_keys, name="console_keys"),
]
