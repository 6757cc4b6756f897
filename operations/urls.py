from django.urls import path

from operations import views

urlpatterns = [
    path("console/figures", views.console_figures, name="console_figures"),
]
