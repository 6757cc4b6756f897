"""allauth's OpenID Connect provider, made stricter: the signature is always checked, a nonce binds the token to this flow,
and identities are keyed by issuer and subject."""

import secrets
from typing import Any

from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.openid.views import StrictAdapter


class StrictOpenIDProvider(OpenIDConnectProvider):
    id = "openid"
    oauth2_adapter_class = StrictAdapter

    def redirect(self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any) -> HttpResponse:
        nonce = secrets.token_urlsafe(24)
        auth_params = {**(kwargs.pop("auth_params", None) or self.get_auth_params()), "nonce": nonce}
        return super().redirect(request, process, next_url, data, auth_params=auth_params, nonce=nonce, **kwargs)

    def extract_uid(self, data: dict[str, Any]) -> str:
        claims = data["id_token"]
        return f"{claims['iss']} {claims['sub']}"

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Of the claims only the address is kept, to show which account it is."""
        claims = data.get("userinfo") or data["id_token"]
        return {"id_token": {"email": claims.get("email", "")}}

    def wk_server_url(self, url: str) -> str:
        """Some issuers end in a slash, and are compared with it; the document lies in the same place all the same."""
        return f"{url.rstrip('/')}/.well-known/openid-configuration"

    def get_callback_url(self) -> str:
        return reverse("openid_callback", kwargs={"provider_id": self.app.provider_id})


provider_classes = [StrictOpenIDProvider]
