"""What the configuration says: the start's own validation, Django's deploy checks, and what neither of them can refuse."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks as django_checks
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from aaperture.lib.env import Env, weak_secret
from aaperture.lib.limits import limit_of
from aaperture.lib.production import check_production
from operations import known_secrets
from operations.security_check.checks import Finding, check, failed, not_applicable, ok, ok_unless

WRITABLE = ("AUDIT_HEADS", "AUDIT_ARCHIVE", "ERASURE_LEDGER")


def _configured() -> dict[str, Any]:
    return {name: getattr(settings, name) for name in dir(settings) if name.isupper()}


def _faults() -> dict[str, str]:
    env = Env()
    check_production(env, _configured())
    return env.faults


@check("environment", "The instance knows that it is in production", "ENVIRONMENT and DEBUG")
def environment() -> Finding:
    faults = [] if settings.PRODUCTION else ["ENVIRONMENT is neither production nor staging"]
    return ok_unless([*faults, *(["DEBUG is on"] if settings.DEBUG else [])])


@check("configuration", "Nothing is missing, weak, an example, or unencrypted", "what production refuses to start with")
def configuration() -> Finding:
    return ok_unless(f"{name} {fault}" for name, fault in sorted(_faults().items()))


@check("django", "Django’s own checks for deployment find nothing", "manage.py check --deploy")
def django() -> Finding:
    found = django_checks.run_checks(include_deployment_checks=True)
    return ok_unless(sorted({str(one.id) for one in found if one.level >= django_checks.WARNING and not one.is_silenced()}))


@check("secrets-strong", "SECRET_KEY and ENCRYPTION_KEYS are strong and of this instance only", "length, regularity, example words")
def secrets_strong() -> Finding:
    weak = weak_secret(settings.SECRET_KEY)
    faults = [f"SECRET_KEY {weak}"] if weak else []
    if not Env().text("ENCRYPTION_KEYS"):
        faults.append("ENCRYPTION_KEYS is missing")
    return ok_unless(faults)


@check("passwords-changed", "Passwords of database, cache and mail server are no defaults", "what stands in their addresses")
def passwords_changed() -> Finding:
    faults = _faults()
    return ok_unless(f"{name} {faults[name]}" for name in known_secrets.PASSWORDS if name in faults and "password" in faults[name])


@check("secrets-rotated", "No secret is older than 90 days", "the inventory of secrets; see Keys and secrets in the console")
def secrets_rotated() -> Finding:
    names = {secret.name for secret in known_secrets.overdue_secrets()}
    return ok_unless([f"overdue: {', '.join(sorted(names))}"] if names else [])


@check("https", "Pages are served by HTTPS only, and cookies travel by nothing else", "PUBLIC_URL and the settings of cookies and HSTS")
def https() -> Finding:
    wanted = {
        "PUBLIC_URL is not https": settings.HTTPS, "HTTP is not led to HTTPS": settings.SECURE_SSL_REDIRECT,
        "the session’s cookie may travel in clear": settings.SESSION_COOKIE_SECURE, "no HSTS": settings.SECURE_HSTS_SECONDS >= 31536000,
        "the CSRF cookie may travel in clear": settings.CSRF_COOKIE_SECURE,
    }  # fmt: skip
    return ok_unless(fault for fault, is_right in wanted.items() if not is_right)


@check("headers", "Pages carry the policy and the headers that browsers obey", "a public page, asked for inside this process")
def headers() -> Finding:
    host = next((name for name in settings.ALLOWED_HOSTS if name and not name.startswith((".", "["))), "localhost")
    answer = Client(SERVER_NAME=host).get("/privacy/", secure=True)
    policy = answer.headers.get("Content-Security-Policy", "")
    wanted = {
        f"it answered {answer.status_code}": answer.status_code == 200,
        "Content-Security-Policy": "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy,
        "X-Frame-Options": answer.headers.get("X-Frame-Options") == "DENY",
        "X-Content-Type-Options": answer.headers.get("X-Content-Type-Options") == "nosniff",
        "Strict-Transport-Security": "max-age=" in answer.headers.get("Strict-Transport-Security", ""),
    }
    return ok_unless(name for name, is_right in wanted.items() if not is_right)


@check("cors", "Only named origins may call the API from a browser", "CORS_ORIGINS")
def cors() -> Finding:
    origins = settings.CORS_ORIGINS
    if not origins:
        return ok("none may")
    if any("*" in origin or origin == "null" or not origin.startswith("https://") for origin in origins):
        return failed("CORS_ORIGINS lists *, null, or an origin without https")
    return ok(f"{len(origins)} listed; look whether each is still needed")


@check("hosts", "Only the instance’s own host names are answered", "ALLOWED_HOSTS")
def hosts() -> Finding:
    return ok_unless(["ALLOWED_HOSTS is * or empty"] if "*" in settings.ALLOWED_HOSTS or not settings.ALLOWED_HOSTS else [])


@check("proxies", "Limits and the log see the address of the client, not of the proxy", "TRUSTED_PROXIES")
def proxies() -> Finding:
    return ok_unless([] if settings.TRUSTED_PROXIES else ["TRUSTED_PROXIES is empty: behind a proxy everybody shares one address"])


def _url_names(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _url_names(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix)
        elif isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name or pattern.lookup_str}"


@check("limits", "Every URL has a limit", "the registry of limits beside the URLs there are")
def limits() -> Finding:
    names = set(_url_names(get_resolver()))
    missing = sorted(name for name in names if limit_of(name) is None)
    return ok_unless([f"without a limit: {', '.join(missing)}"] if missing else [], f"{len(names)} URLs")


@check("developers", "The developer role is off in production", "ALLOW_DEV_ROLE_IN_PRODUCTION and CREATE_DEV_USER")
def developers() -> Finding:
    names = ("ALLOW_DEV_ROLE_IN_PRODUCTION", "CREATE_DEV_USER")
    return ok_unless(f"{name} is on" for name in names if getattr(settings, name))


@check("encrypted", "Database, cache and mail are reached by TLS", "their addresses, and ALLOW_UNENCRYPTED")
def encrypted() -> Finding:
    allowed, faults = sorted(settings.ALLOW_UNENCRYPTED), _faults()
    in_clear = [f"in clear by ALLOW_UNENCRYPTED: {', '.join(allowed)}"] if allowed else []
    return ok_unless([*in_clear, *(f"{name} {faults[name]}" for name in known_secrets.PASSWORDS if "must" in faults.get(name, ""))])


@check("witnesses", "The activity log has witnesses outside, an archive, and erasures a ledger", ", ".join(WRITABLE))
def witnesses() -> Finding:
    return ok_unless(f"{name} is empty" for name in WRITABLE if not getattr(settings, name))


@check("alert-recipients", "Severe alerts are mailed to somebody", "SECURITY_ALERT_EMAILS, else every active administrator")
def alert_recipients() -> Finding:
    if "email" in settings.DISABLED_INTEGRATIONS:
        return failed("email is in DISABLED_INTEGRATIONS: nobody is mailed")
    return ok() if settings.SECURITY_ALERT_EMAILS else failed("SECURITY_ALERT_EMAILS is empty: only administrators’ own mailboxes get them")


@check("metrics", "Something outside watches the instance", "METRICS_TOKEN, or error reports by SENTRY_DSN")
def metrics() -> Finding:
    return ok_unless([] if settings.METRICS_TOKEN or settings.SENTRY_DSN else ["neither METRICS_TOKEN nor SENTRY_DSN is set"])


@check("second-opinion", "Mail leaves this machine for a second opinion only where that is wanted", "GEMINI_API_KEY")
def second_opinion() -> Finding:
    if not settings.GEMINI_API_KEY:
        return not_applicable("off: nothing leaves")
    return ok("on: excerpts go to Google Gemini; use a paid project, whose terms exclude training, and say so on the privacy page")
