"""What can go wrong between us and another system. No message ever holds a token, an address or a mail."""


class IntegrationError(Exception):
    """Base of this app's errors; `code` is what rows and events keep."""

    code = "integration_error"

    def __init__(self, code: str = "", detail: str = "") -> None:
        self.code = code or self.code
        self.detail = detail
        super().__init__(self.code)


class OAuthRefused(IntegrationError):
    """Google said no for good (`invalid_grant` and the like): only the owner can help, by granting again."""

    code = "invalid_grant"


class OAuthUnavailable(IntegrationError):
    """Google's sign-in service did not answer, or not in a way to act upon: try again later."""

    code = "oauth_unavailable"


class IdTokenInvalid(IntegrationError):
    """The id_token failed a check; `code` names which."""

    code = "id_token_invalid"


class StateInvalid(IntegrationError):
    """The answer does not belong to a request this browser session made."""

    code = "state_invalid"


class ScopesMissing(IntegrationError):
    """The person unticked what the feature cannot work without."""

    code = "scopes_missing"


class AccountMismatch(IntegrationError):
    """A reconnection came back with another account than the connection's."""

    code = "account_mismatch"


class NotConnected(IntegrationError):
    """The connection holds no usable credential."""

    code = "not_connected"


class ProviderError(IntegrationError):
    """Base of what a connector raises while reading."""


class Unauthorized(ProviderError):
    """The access token was refused (401): refresh it once."""

    code = "unauthorized"


class AccessWithdrawn(ProviderError):
    """The grant does not reach this far (any more): only the owner can help, by granting again."""

    code = "access_withdrawn"


class Refused(ProviderError):
    """The provider refuses us for a reason of its own: the API is switched off, or a domain's policy forbids it."""

    code = "google_refused"


class Gone(ProviderError):
    """The message was deleted since it was listed."""

    code = "gone"


class Unreadable(ProviderError):
    """The message cannot be parsed; it is counted and left alone."""

    code = "unreadable"


class Unavailable(ProviderError):
    """Still failing after every retry: 429, 5xx, timeouts, broken connections."""

    code = "unavailable"


class LeaseLost(Exception):
    """Another process has taken over this run, or ended it: commit nothing more."""


class ChangedThere(ProviderError):
    """Somebody has changed it at the provider since we last saw it (412)."""

    code = "changed_there"


class Exists(ProviderError):
    """The provider has something with this id already (409)."""

    code = "exists"


class PositionForgotten(ProviderError):
    """The provider no longer knows what changed since our last reading (410): read everything anew."""

    code = "position_forgotten"


class AskedToWait(Unavailable):
    """Too many requests; `seconds` is what the provider asked us to wait, or 0."""

    def __init__(self, seconds: float = 0) -> None:
        super().__init__()
        self.seconds = seconds
