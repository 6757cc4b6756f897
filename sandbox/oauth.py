"""Google's OAuth 2.0 and OpenID Connect endpoints, pages included.

The authorization page is two forms (choose an account, consent) that carry the id of a pending request; the token,
revocation and userinfo endpoints answer in Google's words.
"""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.authority import CODE_LIFETIME, Client, Code, Issued, OAuthError, TokenError, canonical_scopes
from sandbox.id_tokens import personal_claims
from sandbox.pages import render

if TYPE_CHECKING:
    from sandbox.world import Account, World

GOOGLE = "https://www.googleapis.com/auth/"
SIGN_IN = {"openid", GOOGLE + "userinfo.email", GOOGLE + "userinfo.profile"}
SCOPE_TEXTS = {
    GOOGLE + "gmail.readonly": "View your email messages and settings",
    GOOGLE + "gmail.modify": "Read, compose, and send emails from your Gmail account",
    GOOGLE + "gmail.metadata": "View your email message metadata such as labels and headers, but not the email body",
    GOOGLE + "gmail.send": "Send email on your behalf",
    GOOGLE + "calendar": "See, edit, share, and permanently delete all the calendars you can access",
    GOOGLE + "calendar.app.created": "Make secondary Google calendars, and see, create, change, and delete events",
    GOOGLE + "calendar.events.owned": "See, create, change, and delete events on Google calendars you own",
    GOOGLE + "calendar.calendarlist.readonly": "See the list of Google calendars you're subscribed to",
    GOOGLE + "calendar.freebusy": "View your availability in your calendars",
    "https://mail.google.com/": "Read, compose, send, and permanently delete all your email from Gmail",
}
NO_STORE = {"Cache-Control": "no-cache, no-store, max-age=0, must-revalidate", "Pragma": "no-cache"}
PENDING_LIMIT = 1000


@dataclass(frozen=True)
class AuthorizationRequest:
    client: Client
    redirect_uri: str
    scopes: frozenset[str]
    state: str
    nonce: str
    challenge: str
    offline: bool
    prompt: frozenset[str]
    include_granted: bool
    login_hint: str

    @property
    def optional_scopes(self) -> list[tuple[str, str]]:
        """The scopes a person may leave unticked, with Google's words for them."""
        return [(scope, SCOPE_TEXTS.get(scope, scope)) for scope in sorted(self.scopes - SIGN_IN)]


class PageError(Exception):
    """A mistake of the client that Google tells the person, not the client."""

    def __init__(self, error: str, explanation: str) -> None:
        super().__init__(explanation)
        self.error, self.explanation = error, explanation


def world_of(request: Request) -> World:
    world: World = request.app.state.world
    return world


def note(request: Request, api: str, account: str = "") -> None:
    request.scope["sandbox.api"], request.scope["sandbox.account"] = api, account


async def discovery(request: Request) -> Response:
    note(request, "oauth.discovery")
    base = world_of(request).base_url
    document = {
        "issuer": base,
        "authorization_endpoint": f"{base}/o/oauth2/v2/auth",
        "token_endpoint": f"{base}/token",
        "userinfo_endpoint": f"{base}/v1/userinfo",
        "revocation_endpoint": f"{base}/revoke",
        "jwks_uri": f"{base}/oauth2/v3/certs",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["aud", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss", "name", "sub"],
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
    }
    return JSONResponse(document, headers={"Cache-Control": "public, max-age=3600"})


async def certs(request: Request) -> Response:
    note(request, "oauth.certs")
    return JSONResponse(world_of(request).id_tokens.jwks(), headers={"Cache-Control": "public, max-age=60"})


async def authorize(request: Request) -> Response:
    note(request, "oauth.authorize")
    world = world_of(request)
    try:
        wanted = read_request(world, dict(request.query_params))
    except PageError as error:
        return error_page(request, error)
    account = world.account(wanted.login_hint) if wanted.login_hint else None
    if "none" in wanted.prompt:
        if account is None or needs_consent(world, wanted, account):
            return refuse(world, wanted, "interaction_required")
        return grant(world, wanted, account, wanted.scopes, asked=False)
    if account is not None and "select_account" not in wanted.prompt:
        return consent_page(request, wanted, account)
    accounts = list(world.accounts.values())
    context = {"pending": remember(world, wanted), "client": wanted.client, "accounts": accounts}
    return render(request, "choose_account.html", context)


def read_request(world: World, query: dict[str, str]) -> AuthorizationRequest:
    client = world.authority.clients.get(query.get("client_id", ""))
    if client is None:
        raise PageError("invalid_client", "The OAuth client was not found.")
    redirect_uri = query.get("redirect_uri", "")
    if not redirect_allowed(client, redirect_uri):
        raise PageError("redirect_uri_mismatch", f"{redirect_uri or 'No redirect_uri'} is not registered.")
    if query.get("response_type") != "code":
        raise PageError("unsupported_response_type", "Only response_type=code is supported.")
    scopes = canonical_scopes(query.get("scope", ""))
    if not scopes:
        raise PageError("invalid_request", "Missing required parameter: scope")
    unknown = [s for s in sorted(scopes) if s != "openid" and not s.startswith((GOOGLE, "https://mail.google.com/"))]
    if unknown:
        raise PageError("invalid_scope", f"Some requested scopes were invalid: {', '.join(unknown)}")
    challenge = query.get("code_challenge", "")
    if challenge and query.get("code_challenge_method", "plain") != "S256":
        raise PageError("invalid_request", "code_challenge_method must be S256.")
    return AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        scopes=scopes,
        state=query.get("state", ""),
        nonce=query.get("nonce", ""),
        challenge=challenge,
        offline=query.get("access_type") == "offline",
        prompt=frozenset(query.get("prompt", "").split()),
        include_granted=query.get("include_granted_scopes") == "true",
        login_hint=query.get("login_hint", ""),
    )


def redirect_allowed(client: Client, uri: str) -> bool:
    """A registered address; or, while none is registered, any address of this machine."""
    if client.redirect_uris:
        return uri in client.redirect_uris
    parts = urlsplit(uri)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1", "testserver")
    return parts.scheme in ("http", "https") and local and not parts.fragment


def remember(world: World, wanted: AuthorizationRequest) -> str:
    while len(world.pending) >= PENDING_LIMIT:
        del world.pending[next(iter(world.pending))]
    key = secrets.token_urlsafe(16)
    world.pending[key] = wanted
    return key


async def choose_account(request: Request) -> Response:
    note(request, "oauth.choose_account")
    world, form = world_of(request), await request.form()
    wanted = world.pending.get(str(form.get("pending", "")))  # kept: the Back button leads here again
    account = world.account(str(form.get("email", "")))
    if wanted is None or account is None:
        return error_page(request, PageError("invalid_request", "This sign-in has ended. Please start again."))
    return consent_page(request, wanted, account)


def needs_consent(world: World, wanted: AuthorizationRequest, account: Account) -> bool:
    given = world.authority.consents.get((wanted.client.client_id, account.email))
    return given is None or not wanted.scopes <= given.scopes or (wanted.offline and not given.offline)


def consent_page(request: Request, wanted: AuthorizationRequest, account: Account) -> Response:
    world = world_of(request)
    if "consent" not in wanted.prompt and not needs_consent(world, wanted, account):
        return grant(world, wanted, account, wanted.scopes, asked=False)
    context = {"pending": remember(world, wanted), "client": wanted.client, "account": account, "wanted": wanted}
    return render(request, "consent.html", context)


async def give_consent(request: Request) -> Response:
    world, form = world_of(request), await request.form()
    wanted = world.pending.pop(str(form.get("pending", "")), None)
    account = world.account(str(form.get("email", "")))
    note(request, "oauth.consent", account.email if account else "")
    if wanted is None or account is None:
        return error_page(request, PageError("invalid_request", "This sign-in has ended. Please start again."))
    if form.get("decision") != "allow":
        return refuse(world, wanted, "access_denied")
    ticked = {str(scope) for scope in form.getlist("scope")}
    return grant(world, wanted, account, frozenset(wanted.scopes & (ticked | SIGN_IN)), asked=True)


def grant(world: World, wanted: AuthorizationRequest, account: Account, scopes: frozenset[str], *, asked: bool) -> Response:
    """Send the person back with a code. A refresh token comes only with offline access and a consent page."""
    if not scopes:
        return refuse(world, wanted, "access_denied")
    consent = world.authority.consent(wanted.client.client_id, account.email)
    granted = scopes | consent.scopes if wanted.include_granted else scopes
    consent.scopes |= scopes
    consent.offline = consent.offline or wanted.offline
    code = Code(
        client_id=wanted.client.client_id,
        email=account.email,
        scopes=frozenset(granted),
        redirect_uri=wanted.redirect_uri,
        nonce=wanted.nonce,
        challenge=wanted.challenge,
        refreshable=wanted.offline and asked,
        expires_at=time.time() + CODE_LIFETIME,
    )
    answer = {
        "state": wanted.state,
        "iss": world.base_url,
        "code": world.authority.issue_code(code),
        "scope": " ".join(sorted(granted)),
        "authuser": "0",
        "prompt": "consent" if asked else "none",
    }
    return send_back(wanted, answer)


def refuse(world: World, wanted: AuthorizationRequest, error: str) -> Response:
    return send_back(wanted, {"error": error, "state": wanted.state, "iss": world.base_url})


def send_back(wanted: AuthorizationRequest, answer: dict[str, str]) -> Response:
    query = urlencode({name: value for name, value in answer.items() if value})
    joint = "&" if urlsplit(wanted.redirect_uri).query else "?"
    return RedirectResponse(f"{wanted.redirect_uri}{joint}{query}", status_code=302)


def error_page(request: Request, error: PageError) -> Response:
    return render(request, "oauth_error.html", {"error": error.error, "explanation": error.explanation}, status=400)


async def token(request: Request) -> Response:
    world = world_of(request)
    form = {name: str(value) for name, value in (await request.form()).items()}
    kind = form.get("grant_type", "")
    note(request, f"oauth.token.{kind}" if kind in ("authorization_code", "refresh_token") else "oauth.token")
    try:
        client = world.authority.client(*client_credentials(request.headers.get("authorization", ""), form))
        issued = issue(world, client, form)
    except OAuthError as error:
        document = {"error": error.error, "error_description": error.description}
        return JSONResponse(document, status_code=error.status, headers=NO_STORE)
    note(request, request.scope["sandbox.api"], issued.access.email)
    return JSONResponse(token_document(world, client, issued), headers=NO_STORE)


def client_credentials(authorization: str, form: dict[str, str]) -> tuple[str, str]:
    """Read client id and secret from HTTP Basic or, failing that, from the form."""
    if authorization.lower().startswith("basic "):
        try:
            client_id, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
        except ValueError:
            raise OAuthError(401, "invalid_client", "Unauthorized") from None
        return unquote(client_id), unquote(secret)
    if not form.get("client_id"):
        raise OAuthError(400, "invalid_request", "Could not determine client ID from request.")
    if not form.get("client_secret"):
        raise OAuthError(400, "invalid_request", "client_secret is missing.")
    return form["client_id"], form["client_secret"]


def issue(world: World, client: Client, form: dict[str, str]) -> Issued:
    kind = form.get("grant_type", "")
    if kind == "authorization_code":
        return world.authority.redeem(
            required(form, "code"),
            client_id=client.client_id,
            redirect_uri=form.get("redirect_uri", ""),
            verifier=form.get("code_verifier", ""),
        )
    if kind == "refresh_token":
        wanted = required(form, "refresh_token")
        return world.authority.renew(wanted, client_id=client.client_id, scope=form.get("scope", ""))
    raise OAuthError(400, "unsupported_grant_type", f"Invalid grant_type: {kind}")


def required(form: dict[str, str], name: str) -> str:
    if not form.get(name):
        raise OAuthError(400, "invalid_request", f"Missing required parameter: {name}")
    return form[name]


def token_document(world: World, client: Client, issued: Issued) -> dict[str, Any]:
    access = issued.access
    document: dict[str, Any] = {
        "access_token": access.value,
        "expires_in": max(0, round(access.expires_at - time.time())),
        "scope": " ".join(sorted(access.scopes)),
        "token_type": "Bearer",
    }
    if issued.refresh:
        document["refresh_token"] = issued.refresh.value
    if "openid" in access.scopes:
        account = world.accounts[access.email]
        document["id_token"] = world.id_tokens.sign(
            account,
            client_id=client.client_id,
            access_token=access.value,
            nonce=issued.nonce,
            scopes=access.scopes,
        )
    return document


async def userinfo(request: Request) -> Response:
    note(request, "oauth.userinfo")
    world = world_of(request)
    try:
        access = world.authority.bearer(request.headers.get("authorization", ""))
    except TokenError:
        challenge = 'Bearer realm="https://accounts.google.com/", error="invalid_request"'
        document = {"error": "invalid_request", "error_description": "Invalid Credentials"}
        return JSONResponse(document, status_code=401, headers={"WWW-Authenticate": challenge})
    note(request, "oauth.userinfo", access.email)
    account = world.accounts[access.email]
    return JSONResponse({"sub": account.subject, **personal_claims(account, access.scopes)})


async def tokeninfo(request: Request) -> Response:
    note(request, "oauth.tokeninfo")
    access = world_of(request).authority.access.get(request.query_params.get("access_token", ""))
    if access is None or access.expires_at < time.time():
        return JSONResponse({"error": "invalid_token", "error_description": "Invalid Value"}, status_code=400)
    document = {"azp": access.client_id, "aud": access.client_id, "scope": " ".join(sorted(access.scopes))}
    return JSONResponse(document | {"expires_in": str(round(access.expires_at - time.time()))})


async def revoke(request: Request) -> Response:
    note(request, "oauth.revoke")
    value = request.query_params.get("token") or str((await request.form()).get("token", ""))
    if not world_of(request).authority.revoke(value):
        document = {"error": "invalid_token", "error_description": "Token expired or revoked"}
        return JSONResponse(document, status_code=400)
    return JSONResponse({})


routes = [
    Route("/.well-known/openid-configuration", discovery),
    Route("/o/oauth2/v2/auth", authorize, methods=["GET"]),
    Route("/o/oauth2/v2/auth/account", choose_account, methods=["POST"]),
    Route("/o/oauth2/v2/auth/consent", give_consent, methods=["POST"]),
    Route("/token", token, methods=["POST"]),
    Route("/revoke", revoke, methods=["POST"]),
    Route("/oauth2/v3/certs", certs),
    Route("/v1/userinfo", userinfo, methods=["GET", "POST"]),
    Route("/oauth2/v3/userinfo", userinfo, methods=["GET", "POST"]),
    Route("/tokeninfo", tokeninfo),
]
