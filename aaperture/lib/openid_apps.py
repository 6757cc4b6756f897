"""The OpenID Connect providers that people may sign in with, as `accounts.openid` reads them from the settings."""

from typing import Any
from urllib.parse import urlsplit


def google(*, issuer: str, client_id: str, secret: str) -> dict[str, Any]:
    method = "client_secret_post"
    return _app("google", "Google", issuer, client_id, secret, token_auth_method=method, fetch_userinfo=False)


def own_provider(*, name: str, issuer: str, client_id: str, secret: str) -> dict[str, Any]:
    """The one that the operator named by `OIDC_…`: it may say who somebody is in the token or, as many do, only when asked."""
    return _app("oidc", name, issuer, client_id, secret, fetch_userinfo=True)


def origin(url: str) -> str:
    """Scheme, host and port: what a Content-Security-Policy lists."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))


def _app(provider_id: str, name: str, issuer: str, client_id: str, secret: str, **more: Any) -> dict[str, Any]:
    settings = {"server_url": issuer, "scope": ["openid", "email", "profile"], "oauth_pkce_enabled": True, **more}
    return {"provider_id": provider_id, "name": name, "client_id": client_id, "secret": secret, "settings": settings}
