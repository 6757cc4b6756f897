"""The registry of action names: what the activity log can say. Names once used are never changed.

The first blocks are the seeds' own names, kept literally (R-109 … R-112).
"""

ACTIONS: dict[str, str] = {
    # authentication
    "user.login": "Signed in",
    "user.logout": "Signed out",
    "user.login.failed": "Sign-in failed",
    "password.changed": "Password changed by its owner",
    "password.reset": "Password reset",
    "password.reset.requested": "Password reset asked for",
    "user.email.verified": "E-mail address verified",
    "session.expired": "Session ended by its time limit",
    # user management
    "user.created": "Account created",
    "user.updated": "Account changed",
    "user.deleted": "Account deleted",
    "user.activated": "Account activated",
    "user.deactivated": "Account deactivated",
    "role.changed": "Role changed",
    "organization.created": "Studio created",
    "organization.updated": "Studio changed",
    # security
    "permission.denied": "Access refused",
    "admin_user.modification_attempted": "Attempt to change an administrator",
    "dev_role.production_enabled": "Developer role switched on in production",
    "dev_role.production_disabled": "Developer role switched off in production",
    "csrf.failed": "Cross-site request refused",
    "rate_limit.exceeded": "Too many requests",
    "oauth.state_refused": "Sign-in flow refused: its state or token did not fit",
    "sealed_data.failed": "Sealed data could not be opened",
    # sign-in with Google
    "identity.connected": "Sign-in identity connected",
    "identity.disconnected": "Sign-in identity removed",
    # connections and consent
    "consent.granted": "Consent given",
    "consent.withdrawn": "Consent withdrawn",
    "connection.connected": "Connection authorised",
    "connection.denied": "Connection refused by its owner",
    "connection.token_refreshed": "Access token refreshed",
    "connection.needs_reauth": "Connection needs to be authorised again",
    "connection.paused": "Connection paused",
    "connection.resumed": "Connection resumed",
    "connection.revoked": "Connection revoked",
    # pipelines
    "pipeline.created": "Pipeline created",
    "pipeline.updated": "Pipeline changed",
    "pipeline.deleted": "Pipeline deleted",
    "transformation.created": "Transformation created",
    "transformation.updated": "Transformation changed",
    "transformation.deleted": "Transformation deleted",
    "run.queued": "Run asked for",
    "run.finished": "Run ended",
    "run.cancelled": "Run cancelled",
    "run.reaped": "Run of a lost worker ended",
    # opportunities
    "opportunity.created": "Opportunity created",
    "opportunity.updated": "Opportunity changed",
    "opportunity.moved": "Opportunity moved",
    "opportunity.merged": "Opportunities merged",
    "opportunity.deleted": "Opportunity deleted",
    "signal.deleted": "Signal deleted",
    "opportunities.exported": "Opportunities exported",
    # instance
    "settings.changed": "Instance settings changed",
}
