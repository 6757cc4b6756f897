from typing import Any

import jwt
import requests
from allauth.account.internal.decorators import login_not_required
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from allauth.utils import build_absolute_uri
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.crypto import constant_time_compare

ALGORITHMS = ["RS256", "ES256"]
REQUIRED_CLAIMS = ["iss", "sub", "aud", "exp", "iat", "nonce"]


def verify_id_token(token: str, *, config: dict[str, Any], client_id: str, nonce: str) -> dict[str, Any]:
    """The claims of an id_token: signature by the issuer's keys, issuer, audience, expiry and nonce all checked (R-065).

    Raises OAuth2Error.
    """
    try:
        answer = requests.get(config["jwks_uri"], timeout=10)
        answer.raise_for_status()
        keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(answer.json()).keys}
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(
            token, key, algorithms=ALGORITHMS, audience=client_id, issuer=config["issuer"], leeway=30, options={"require": REQUIRED_CLAIMS}
        )
    except (jwt.PyJWTError, requests.RequestException, KeyError, ValueError):
        raise OAuth2Error("The id_token is not valid.") from None
    if not nonce or not constant_time_compare(str(claims["nonce"]), nonce):
        raise OAuth2Error("The id_token belongs to another flow.")
    return claims


class StrictAdapter(OpenIDConnectOAuth2Adapter):
    expected_nonce = ""

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any) -> Any:
        id_token = kwargs["response"].get("id_token")
        if not id_token:
            raise OAuth2Error("The provider sent no id_token.")
        claims = verify_id_token(id_token, config=self.openid_config, client_id=app.client_id, nonce=self.expected_nonce)
        return self.get_provider().sociallogin_from_response(request, {"id_token": claims})

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return build_absolute_uri(request, reverse("openid_callback", kwargs={"provider_id": self.provider_id}), self.redirect_uri_protocol)


class StrictCallbackView(OAuth2CallbackView):
    adapter: StrictAdapter

    def _get_state(self, request: HttpRequest, provider: Any) -> tuple[dict[str, Any] | None, HttpResponse | None]:
        state, response = super()._get_state(request, provider)
        if state:
            self.adapter.expected_nonce = state.get("nonce", "")
        return state, response


@login_not_required
def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    try:
        return OAuth2LoginView.adapter_view(StrictAdapter(request, provider_id))(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None


@login_not_required
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    try:
        return StrictCallbackView.adapter_view(StrictAdapter(request, provider_id))(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
