"""The addresses of this app's part of the API; `aaperture.urls` joins all parts under the namespace `api`."""

from django.urls import path

from accounts.api import api_keys, auth, documentation, instance, me, sessions, studios, users

urlpatterns = [
    path("schema", documentation.ApiDescription.as_view(), name="schema"),
    path("auth/login", auth.Login.as_view(), name="login"),
    path("auth/register", auth.Register.as_view(), name="register"),
    path("auth/refresh", auth.Refresh.as_view(), name="refresh"),
    path("auth/logout", auth.Logout.as_view(), name="logout"),
    path("auth/step-up", auth.StepUp.as_view(), name="step_up"),
    path("v1/me", me.Me.as_view(), name="me"),
    path("v1/permissions/me", me.MyPermissions.as_view(), name="my_permissions"),
    path("v1/sessions", sessions.Sessions.as_view(), name="sessions"),
    path("v1/sessions/<uuid:pk>", sessions.SessionDetail.as_view(), name="session"),
    path("v1/api-keys", api_keys.ApiKeys.as_view(), name="api_keys"),
    path("v1/api-keys/<uuid:pk>", api_keys.ApiKeyDetail.as_view(), name="api_key"),
    path("v1/api-keys/<uuid:pk>/rotate-secret", api_keys.ApiKeySecret.as_view(), name="api_key_secret"),
    path("v1/users", users.Users.as_view(), name="users"),
    path("v1/users/<uuid:pk>", users.UserDetail.as_view(), name="user"),
    path("v1/users/<uuid:pk>/change-role", users.ChangeRole.as_view(), name="user_change_role"),
    path("v1/users/<uuid:pk>/activate", users.Activate.as_view(), name="user_activate"),
    path("v1/users/<uuid:pk>/deactivate", users.Deactivate.as_view(), name="user_deactivate"),
    path("v1/users/<uuid:pk>/reset-password", users.ResetPassword.as_view(), name="user_reset_password"),
    path("v1/studios", studios.Studios.as_view(), name="studios"),
    path("v1/studios/<uuid:pk>", studios.StudioDetail.as_view(), name="studio"),
    path("v1/studios/<uuid:pk>/members", studios.Members.as_view(), name="studio_members"),
    path("v1/studios/<uuid:pk>/members/<uuid:member>", studios.MemberDetail.as_view(), name="studio_member"),
    path("v1/settings", instance.Settings.as_view(), name="settings"),
    path("v1/admin/settings/dev-role-production", instance.DevRoleInProduction.as_view(), name="dev_role_production"),
]
