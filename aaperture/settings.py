"""All settings, from the environment. In production every missing or weak value is listed at once, by name."""

import os
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _

from aaperture.lib import openid_apps
from aaperture.lib.addresses import database, redis_url
from aaperture.lib.api.configuration import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: F401 - Django reads them here
from aaperture.lib.clock import CELERY_BEAT_SCHEDULE, CELERY_TASK_ROUTES  # noqa: F401 - Celery reads them here
from aaperture.lib.env import Env, KeySourceFailed, ask_key_source, parse_key_ring
from aaperture.lib.error_reports import start_error_reports
from aaperture.lib.logs import LOGGING  # noqa: F401 - Django reads it here
from aaperture.lib.production import check_production

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()

ENVIRONMENT = env.choice("ENVIRONMENT", ("development", "test", "staging", "production"), "development")
PRODUCTION = ENVIRONMENT in {"production", "staging"}
LOCAL = not PRODUCTION
DEBUG = False

DISABLED_INTEGRATIONS = env.words("DISABLED_INTEGRATIONS", allowed=frozenset({"google", "stripe", "s3", "email"}))
ALLOW_UNENCRYPTED = env.words("ALLOW_UNENCRYPTED", allowed=frozenset({"database", "cache", "smtp"}))

# --- secrets ---------------------------------------------------------------------------------------------------------
if LOCAL:  # without them, a development instance makes its own and keeps them beside its data
    from aaperture.lib.local_secrets import STATE, local_secret
else:

    def local_secret(name: str) -> str:
        return ""


SECRET_KEY = env.text("SECRET_KEY") or local_secret("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
try:
    ENCRYPTION_KEYS, _fault = parse_key_ring(ask_key_source(env.text("ENCRYPTION_KEYS") or local_secret("ENCRYPTION_KEYS")))
except KeySourceFailed as error:
    ENCRYPTION_KEYS, _fault = [], f"names a source that {error}"
if _fault:
    env.fault("ENCRYPTION_KEYS", _fault)
FERNET_KEYS = env.words("FERNET_KEYS")
GEMINI_API_KEY = env.text("GEMINI_API_KEY")
SENTRY_DSN = env.text("SENTRY_DSN")
BACKUP_KEY = env.text("BACKUP_KEY") or (local_secret("BACKUP_KEY") if ENVIRONMENT == "development" else "")
BACKUPS = env.text("BACKUPS", str(STATE / "backups") if ENVIRONMENT == "development" else "")
BACKUP_DAYS = env.days("BACKUP_DAYS", 7 if ENVIRONMENT == "staging" else 30)
METRICS_TOKEN = env.text("METRICS_TOKEN")
_own_audit_folder = str(STATE / "audit") if ENVIRONMENT == "development" else ""
AUDIT_HEADS = env.text("AUDIT_HEADS", _own_audit_folder)
AUDIT_ARCHIVE = env.text("AUDIT_ARCHIVE", _own_audit_folder)
ERASURE_LEDGER = env.text("ERASURE_LEDGER", str(STATE / "erasures") if ENVIRONMENT == "development" else "")
AUDIT_ONLINE_DAYS, AUDIT_ARCHIVE_DAYS = env.days("AUDIT_ONLINE_DAYS", 30, least=28), env.days("AUDIT_ARCHIVE_DAYS", 365)

# --- where we are ----------------------------------------------------------------------------------------------------
PUBLIC_URL = env.text("PUBLIC_URL", "http://localhost:8000" if LOCAL else "").rstrip("/")
_public = urlsplit(PUBLIC_URL)
HTTPS = _public.scheme == "https"
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],testserver" if LOCAL else _public.hostname or "")
CORS_ORIGINS = env.words("CORS_ORIGINS")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
TRUSTED_PROXIES = env.words("TRUSTED_PROXIES")
for _net in TRUSTED_PROXIES:
    try:
        ip_network(_net, strict=False)
    except ValueError:
        env.fault("TRUSTED_PROXIES", "must list addresses or networks")
if HTTPS and TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- database, cache, broker -----------------------------------------------------------------------------------------
DATABASE_URL = env.text("DATABASE_URL")
MIGRATION_DATABASE_URL = env.text("MIGRATION_DATABASE_URL")
REDIS_URL = env.text("REDIS_URL")
if LOCAL and not (DATABASE_URL and REDIS_URL):
    from aaperture.lib import embedded

    _database, _migration, _redis = embedded.urls()
    if not DATABASE_URL:
        DATABASE_URL, MIGRATION_DATABASE_URL = _database, _migration
    REDIS_URL = REDIS_URL or _redis
MIGRATION_DATABASE_URL = MIGRATION_DATABASE_URL or DATABASE_URL


WEB_PROCESS = os.environ.get("AAPERTURE_PROCESS") == "web"  # said by aaperture.wsgi


DATABASES = {"default": database(DATABASE_URL, pooled=WEB_PROCESS)}
MIGRATION_DATABASE = database(MIGRATION_DATABASE_URL, pooled=WEB_PROCESS)
APPLICATION_ROLE: str = DATABASES["default"]["USER"]


# one Valkey database each, so that emptying the page cache unlocks nobody
CACHES: dict[str, dict[str, Any]] = {
    alias: {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis_url(REDIS_URL, number), "KEY_PREFIX": alias}
    for alias, number in (("default", 1), ("limits", 2), ("locks", 3))
}
for cache in CACHES.values():  # one that hangs must not hold every page for longer
    cache |= {"OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2}}  # seconds
CELERY_BROKER_URL = redis_url(REDIS_URL, 0, broker=True)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 6 * 3600, "socket_connect_timeout": 2, "socket_timeout": 30}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 2 * 3600
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE / "beat") if LOCAL else "/tmp/aaperture-beat"  # nosec B108 - rebuilt from code at start

# --- apps ------------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "operations",
    "tracker",
    "mailing",
    "documents",
    "studio",
    "integrations",
    "billing",
    "accounts",
    "accounts.openid",
    "audit",
    "vault",
    "aaperture.lib.console_config.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.mfa",
    "axes",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "template_partials",
    "lucide",
]
MIDDLEWARE = [
    "accounts.middleware.RequestContextMiddleware",
    "accounts.middleware.SecurityHeadersMiddleware",
    "accounts.middleware.PolicyMiddleware",
    "operations.containment.middleware.BlockedNetworkMiddleware",
    "aaperture.lib.cors.CorsMiddleware",
    "aaperture.lib.api.cookies.NoCookiesMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "accounts.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.middleware.AuthenticationMiddleware",
    "accounts.middleware.SessionLifetimeMiddleware",
    "audit.middleware.ActivityMiddleware",
    "accounts.developer_requests.note_developer_requests",
    "accounts.middleware.note_limit",
    "aaperture.lib.limits.LimitsMiddleware",
    "audit.middleware.InputMiddleware",
    "accounts.guards.SignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.guards.SecondFactorMiddleware",
    "accounts.guards.StepUpMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "aaperture.urls"
WSGI_APPLICATION = "aaperture.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context_processors.site",
            ],
        },
    }
]
FORM_RENDERER = "aaperture.lib.form_renderer.FormRenderer"

# --- the hooks by which a lower app reaches a higher one ---------------------------------------------------------------
PIPELINE_CLASSIFIER = "tracker.classification.classify"
PIPELINE_DESTINATIONS = {
    "opportunities": "tracker.destination.OpportunityDestination",
    "contacts": "studio.destination.ContactDestination",
    "dataset": "integrations.services.datasets.DatasetDestination",
}

# --- sign-in ---------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "accounts.backends.RoleBackend"]  # the first counts
PASSWORD_HASHERS = ["accounts.passwords.BCryptSHA256TwelveRounds"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "accounts.passwords.LengthValidator"},
    {"NAME": "accounts.passwords.CharacterClassesValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "accounts.passwords.ContextWordsValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
PASSWORD_RESET_TIMEOUT = 3600
AXES_HANDLER = "accounts.lockout.ReservingHandler"  # keeps keyed hashes in the `locks` cache, and nothing in axes' tables
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = ["username"]
AXES_CLIENT_IP_CALLABLE = "aaperture.lib.client_address.client_address"
AXES_LOCKOUT_CALLABLE = "accounts.lockout.response"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or whoever goes on guessing prolongs the lock for ever
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True
# W006 wants the address among the parameters: ours locks the name whatever the address, and counts addresses beside it
SILENCED_SYSTEM_CHECKS = ["axes.W006"]

API_ACCESS_LIFETIME = timedelta(minutes=30)
API_REFRESH_LIFETIME = timedelta(days=7)  # of the whole family of tokens, from the log-in on
SESSION_IDLE = timedelta(minutes=30)
SESSION_ABSOLUTE = timedelta(hours=12)
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_AGE = int(SESSION_ABSOLUTE.total_seconds())
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Secure-sessionid" if HTTPS else "sessionid"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # Strict would lose the session on the way back from Google
SESSION_EXPIRE_AT_BROWSER_CLOSE = False
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "accounts.views.errors.csrf_failed"

ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "accounts.adapter.SocialAccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.forms.SignupExtras"
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_PREVENT_ENUMERATION = "strict"
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_LOGIN_ON_PASSWORD_RESET = ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "accounts.reset_links.ResetLinks"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
_counted_by_us = ["login_failed", "reauthenticate", "change_password"]  # by `accounts.lockout`; the next by `aaperture.lib.limits`
_counted_by_us += ["login", "signup", "reset_password", "reset_password_from_key", "manage_email"]
ACCOUNT_RATE_LIMITS = dict.fromkeys(_counted_by_us)  # left to allauth: one confirmation mail to an address in three minutes
_forms = ("change_password", "signup", "login", "reset_password", "add_email")
ACCOUNT_FORMS = {name: f"accounts.sign_in_forms.{name.title().replace('_', '')}Form" for name in _forms}
MFA_ADAPTER = "accounts.adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
_mfa_forms = ("Authenticate", "Reauthenticate", "Activate_TOTP", "Authenticate_WebAuthn", "Reauthenticate_WebAuthn")
MFA_FORMS = {name.lower(): f"accounts.sign_in_forms.{name.replace('_', '')}Form" for name in _mfa_forms}
MFA_FORMS |= {f"{act.lower()}_webauthn": f"accounts.passkey_forms.{act}WebAuthnForm" for act in ("Add", "Edit", "Login")}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RATE_LIMITS = {"webauthn_login": None}  # `aaperture.lib.limits` counts it
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = LOCAL  # browsers allow http://localhost all the same, and nothing else
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_EMAIL_VERIFICATION = "mandatory"
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10
SOCIALACCOUNT_OPENID_CONNECT_URL_PREFIX = ""

# --- Google ----------------------------------------------------------------------------------------------------------
GOOGLE_ISSUER = env.text("GOOGLE_ISSUER", "https://accounts.google.com").rstrip("/")
GOOGLE_API_ROOT = env.text("GOOGLE_API_ROOT", "https://www.googleapis.com").rstrip("/")
GOOGLE_CLIENT_ID = env.text("GOOGLE_CLIENT_ID")
GOOGLE_CLIENT_SECRET = env.text("GOOGLE_CLIENT_SECRET")
GMAIL_UNITS_PER_SECOND = 250.0  # Google's budget per mailbox, where a message costs 5; 0 switches it off
GMAIL_ATTEMPTS = 5
GMAIL_FIRST_WAIT = 0.5  # seconds, doubled with every further attempt
GMAIL_CALL_TIMEOUT = 30.0
GOOGLE_ENABLED = bool(GOOGLE_CLIENT_ID) and "google" not in DISABLED_INTEGRATIONS
_google = openid_apps.google(issuer=GOOGLE_ISSUER, client_id=GOOGLE_CLIENT_ID, secret=GOOGLE_CLIENT_SECRET)

# --- sign-in with any other OpenID Connect provider: off unless it is named ------------------------------------------
OIDC_ISSUER = env.text("OIDC_ISSUER")  # to the letter: what its discovery document and its tokens must say
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env.text("OIDC_CLIENT_SECRET")
OIDC_NAME = env.text("OIDC_NAME", "OpenID Connect")
OIDC_ENABLED = bool(OIDC_ISSUER and OIDC_CLIENT_ID)
_oidc = openid_apps.own_provider(name=OIDC_NAME, issuer=OIDC_ISSUER, client_id=OIDC_CLIENT_ID, secret=OIDC_CLIENT_SECRET)
SOCIALACCOUNT_PROVIDERS = {"openid": {"APPS": [*([_google] if GOOGLE_ENABLED else []), *([_oidc] if OIDC_ENABLED else [])]}}

# --- e-mail ----------------------------------------------------------------------------------------------------------
EMAIL_URL = env.text("EMAIL_URL", "smtp://127.0.0.1:8011" if LOCAL else "")
_mail = urlsplit(EMAIL_URL)
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = _mail.hostname or "localhost"
EMAIL_PORT = _mail.port or {"smtps": 465, "smtp+starttls": 587}.get(_mail.scheme, 25)
EMAIL_HOST_USER = unquote(_mail.username or "")
EMAIL_HOST_PASSWORD = unquote(_mail.password or "")
EMAIL_USE_SSL = _mail.scheme == "smtps"
EMAIL_USE_TLS = _mail.scheme == "smtp+starttls"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Aaperture <aaperture@localhost>" if LOCAL else "")
SECURITY_ALERT_EMAILS = env.words("SECURITY_ALERT_EMAILS")

# --- Stripe and object storage (their apps come later; their names are fixed) ------------------------------------------
STRIPE_SECRET_KEY = env.text("STRIPE_SECRET_KEY")
STRIPE_WEBHOOK_SECRET = env.words("STRIPE_WEBHOOK_SECRET")
STRIPE_API = "https://api.stripe.com"
STRIPE_API_BASE = env.text("STRIPE_API_BASE", STRIPE_API).rstrip("/")
S3_BUCKET = env.text("S3_BUCKET")
S3_ENDPOINT_URL = env.text("S3_ENDPOINT_URL")
S3_ACCESS_KEY_ID = env.text("S3_ACCESS_KEY_ID")
S3_SECRET_ACCESS_KEY = env.text("S3_SECRET_ACCESS_KEY")
ALLOW_DEV_ROLE_IN_PRODUCTION = env.flag("ALLOW_DEV_ROLE_IN_PRODUCTION")
CREATE_DEV_USER = env.flag("CREATE_DEV_USER")

# --- language, time, files -------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fr", _("French"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "aaperture.lib.formats"
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_HTTPONLY = True
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = STATE / "static" if LOCAL else BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if ENVIRONMENT == "test"
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = ENVIRONMENT == "test"
FILE_UPLOAD_MAX_MEMORY_SIZE = 16 * 2**20  # bytes: more than any file a form takes, so that none touches a disk unsealed
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 20

# --- headers ---------------------------------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
X_FRAME_OPTIONS = "DENY"
_sign_in_origins = [openid_apps.origin(issuer) for issuer in (GOOGLE_ISSUER, OIDC_ISSUER) if issuer]
_checkout = "https://checkout.stripe.com" if STRIPE_API_BASE == STRIPE_API else openid_apps.origin(STRIPE_API_BASE)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF, *_sign_in_origins, _checkout],
        "frame-ancestors": [NONE],
        "report-uri": "/csp-report/",
        "report-to": "csp",  # named in `SecurityHeadersMiddleware`
        **({"upgrade-insecure-requests": True} if HTTPS else {}),
    }
}

# --- refuse to start with a wrong configuration ----------------------------------------------------------------------
if PRODUCTION:
    check_production(env, globals())
env.refuse_to_start_if_wrong()
start_error_reports(SENTRY_DSN, environment=ENVIRONMENT)
