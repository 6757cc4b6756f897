"""`/api/auth/…`: coming in, staying in, proving it anew, going out."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.errors import Unavailable
from aaperture.lib.api.serializers import Strict
from aaperture.lib.api.throttling import TooManyRequests, limit_name
from aaperture.lib.api.views import ApiView
from accounts import lockout, second_factor, step_up
from accounts.api.authentication import CHALLENGE, TokenAuthentication
from accounts.models import ApiSession
from accounts.services import registration, signing_in, tokens

LONGEST_PASSWORD = 128


class PasswordField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=LONGEST_PASSWORD, trim_whitespace=False, style={"input_type": "password"}, **kwargs)


class CodeField(serializers.CharField):
    def __init__(self) -> None:
        super().__init__(max_length=32, required=False, help_text="From your authenticator, or a recovery code.")


class LoginRequest(Strict):
    email = serializers.CharField(max_length=254)
    password = PasswordField()
    otp = CodeField()


class RegisterRequest(Strict):
    email = serializers.EmailField(max_length=254)
    password = PasswordField()
    name = serializers.CharField(max_length=150, required=False, allow_blank=True)


class RefreshRequest(Strict):
    refresh_token = serializers.CharField(max_length=200)


class StepUpRequest(Strict):
    """Either of the two."""

    password = PasswordField(required=False)
    otp = CodeField()

    bounds = {"minProperties": 1, "maxProperties": 1}


class TokensAnswer(serializers.Serializer):
    access_token = serializers.CharField()
    refresh_token = serializers.CharField(help_text="For one use; the answer to it holds the next one.")
    token_type = serializers.CharField(help_text="`bearer`")
    expires_in = serializers.IntegerField(help_text="Seconds the access token lives.")


class RegisterAnswer(serializers.Serializer):
    detail = serializers.CharField()


class StepUpAnswer(serializers.Serializer):
    expires_in = serializers.IntegerField(help_text="Seconds for which sensitive operations are open.")


class PublicView(ApiView):
    """Open to whoever has no token yet; a credential that is sent all the same is not looked at."""

    authentication_classes: list = []
    permission_classes = [AllowAny]
    answers: tuple[int, ...] = (401,)

    def get_authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def _answer(issued: tokens.Tokens) -> Response:
    lasting = tokens.lifetime(issued.session)
    return Response({"access_token": issued.access, "refresh_token": issued.refresh, "token_type": "bearer", "expires_in": lasting})


class Login(PublicView):
    answers = (401, 403)

    @extend_schema(request=LoginRequest, responses=TokensAnswer)
    def post(self, request: Request) -> Response:
        """Sign in with e-mail address and password, and a code where the account has a second factor."""
        given = self.validated(request, LoginRequest)
        inner = plain(request)
        limit_name(inner, "api:login", lockout.canonical_name(given["email"]))
        try:
            user = signing_in.verify(inner, email=given["email"], password=given["password"], otp=given.get("otp", ""))
        except signing_in.SecondFactorNeeded:
            raise AuthenticationFailed("Send a code of your second factor too, as otp.", code="mfa_required") from None
        except signing_in.EnrolmentRequired:
            raise PermissionDenied("Set up a second factor on the site first.", code="mfa_enrolment_required") from None
        except signing_in.SignInRefused:
            raise AuthenticationFailed("Invalid username or password", code="wrong_credentials") from None
        try:
            return _answer(tokens.open_session(user, inner, second_factor=second_factor.has_second_factor(user)))
        except tokens.TokenInvalid:
            raise AuthenticationFailed("Invalid username or password", code="wrong_credentials") from None


class Register(PublicView):
    answers = (403,)

    @extend_schema(request=RegisterRequest, responses={202: RegisterAnswer})
    def post(self, request: Request) -> Response:
        """Make an account. The answer is the same whether or not the address has one; a mail says how to go on."""
        given = self.validated(request, RegisterRequest)
        try:
            registration.register(plain(request), email=given["email"], password=given["password"], name=given.get("name", ""))
        except OSError:  # SMTP, and the same for every address
            raise Unavailable("The mail could not be sent. Try again in a moment.", code="mail_failed") from None
        return Response({"detail": "Follow the link in the mail that we have sent."}, status=202)


class Refresh(PublicView):
    @extend_schema(request=RefreshRequest, responses=TokensAnswer)
    def post(self, request: Request) -> Response:
        """Spend a refresh token for a new pair. One that was spent before ends its whole session."""
        given = self.validated(request, RefreshRequest)
        try:
            return _answer(tokens.refresh(given["refresh_token"], plain(request)))
        except tokens.TokenInvalid:
            raise AuthenticationFailed("The refresh token is not valid, or no longer.", code="token_invalid") from None


class SessionView(ApiView):
    """For somebody who logged in; a key has no session."""

    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticated]

    def session_of(self, request: Request) -> ApiSession:
        assert isinstance(request.auth, ApiSession)
        return request.auth


class Logout(SessionView):
    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """End this session: its access and refresh tokens stop working at once."""
        tokens.log_out(self.session_of(request), request=plain(request))
        return Response(status=204)


class StepUp(SessionView):
    @extend_schema(request=StepUpRequest, responses=StepUpAnswer)
    def post(self, request: Request) -> Response:
        """Prove who you are anew; sensitive operations are then open to this session for ten minutes."""
        given = self.validated(request, StepUpRequest)
        session, inner = self.session_of(request), plain(request)
        try:
            if "otp" in given:
                proved = second_factor.verify_code(session.user, given["otp"], inner)
            else:
                proved = signing_in.check_password(session.user, given["password"], inner)
        except lockout.Locked as locked:
            raise TooManyRequests(locked.seconds) from None
        if not proved:
            raise PermissionDenied("The password or code is not right.", code="wrong_credentials")
        tokens.step_up(session)
        return Response({"expires_in": step_up.WINDOW})
