from django.urls import path

from accounts.openid import views

urlpatterns = [
    path("openid/<slug:provider_id>/login/", views.login, name="openid_login"),
    path("openid/<slug:provider_id>/callback/", views.callback, name="openid_callback"),
]
