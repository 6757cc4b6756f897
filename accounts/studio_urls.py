"""Studios, invitations to them, and coaches as their client sees them."""

from django.urls import path

from accounts.views import coaches, invitations, studio

urlpatterns = [
    path("settings/studio/", studio.studio, name="settings_studio"),
    path("settings/studio/switch/", studio.switch, name="settings_studio_switch"),
    path("settings/studio/invite/", studio.invite, name="settings_studio_invite"),
    path("settings/studio/leave/", studio.leave, name="settings_studio_leave"),
    path("settings/studio/invitations/<uuid:pk>/resend/", studio.invitation_resend, name="settings_invitation_resend"),
    path("settings/studio/invitations/<uuid:pk>/revoke/", studio.invitation_revoke, name="settings_invitation_revoke"),
    path("settings/studio/members/<uuid:pk>/role/", studio.member_role, name="settings_member_role"),
    path("settings/studio/members/<uuid:pk>/owner/", studio.member_owner, name="settings_member_owner"),
    path("settings/studio/members/<uuid:pk>/remove/", studio.member_remove, name="settings_member_remove"),
    path("settings/coaches/", coaches.coaches, name="settings_coaches"),
    path("settings/coaches/<uuid:pk>/", coaches.coach, name="settings_coach"),
    path("settings/coaches/<uuid:pk>/end/", coaches.coach_end, name="settings_coach_end"),
    path("invitations/", invitations.invitation, name="invitation"),
    path("invitations/accept/", invitations.invitation_accept, name="invitation_accept"),
    path("invitations/decline/", invitations.invitation_decline, name="invitation_decline"),
    path("invitations/sign-out/", invitations.invitation_sign_out, name="invitation_sign_out"),
    path("invitations/<slug:token>/", invitations.invitation_open, name="invitation_open"),
]
