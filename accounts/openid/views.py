from typing import Any

import jwt
import requests
from allauth.account.internal.decorators import login_not_required
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from allauth.utils import build_absolute_uri, get_request_param
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from accounts import step_up

ALGORITHMS = ["RS256", "ES256"]
REQUIRED_CLAIMS = ["iss", "sub", "aud", "exp", "iat", "nonce"]


def verify_id_token(token: str, *, config: dict[str, Any], client_id: str, nonce: str) -> dict[str, Any]:
    """The claims of an id_token: signature by the issuer's keys, issuer, audience, expiry and nonce all checked.

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
        config = self.openid_config
        if config.get("issuer") != app.settings["server_url"]:
            raise OAuth2Error("The discovery document is of another issuer.")
        claims = verify_id_token(id_token, config=config, client_id=app.client_id, nonce=self.expected_nonce)
        data = {"id_token": claims}
        if app.settings["fetch_userinfo"] and "email" not in claims:
            data["userinfo"] = self._userinfo(token.token, subject=claims["sub"])
        return self.get_provider().sociallogin_from_response(request, data)

    def _userinfo(self, access_token: str, *, subject: str) -> dict[str, Any]:
        """Who they are, from a provider that says so only when asked. It must be the one of the token (OpenID Connect 5.3.2)."""
        try:
            answer = self._fetch_user_info(access_token)
        except (requests.RequestException, KeyError, ValueError):
            raise OAuth2Error("The provider did not say who it is.") from None
        if not isinstance(answer, dict) or answer.get("sub") != subject:
            raise OAuth2Error("The provider spoke of somebody else.")
        return answer

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return build_absolute_uri(request, reverse("openid_callback", kwargs={"provider_id": self.provider_id}), self.redirect_uri_protocol)


class StrictCallbackView(OAuth2CallbackView):
    adapter: StrictAdapter

    def _get_state(self, request: HttpRequest, provider: Any) -> tuple[dict[str, Any] | None, HttpResponse | None]:
        state, response = super()._get_state(request, provider)
        if state:
            self.adapter.expected_nonce = state.get("nonce", "")
        return state, response


def require_proof_to_link(request: HttpRequest) -> None:
    """Another way in is sensitive: whoever finds an open session may not add their own. Raises StepUpRequired."""
    if request.user.is_authenticated and get_request_param(request, "process") == AuthProcess.CONNECT:
        step_up.require(request)


@login_not_required
def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    require_proof_to_link(request)
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
