"""The addresses of this app's part of the API; `aaperture.urls` joins all parts under the namespace `api`."""

from django.urls import path

from accounts.api import auth, me

urlpatterns = [
    path("auth/login", auth.Login.as_view(), name="login"),
    path("auth/register", auth.Register.as_view(), name="register"),
    path("auth/refresh", auth.Refresh.as_view(), name="refresh"),
    path("auth/logout", auth.Logout.as_view(), name="logout"),
    path("auth/step-up", auth.StepUp.as_view(), name="step_up"),
    path("v1/me", me.Me.as_view(), name="me"),
    path("v1/permissions/me", me.MyPermissions.as_view(), name="my_permissions"),
]
