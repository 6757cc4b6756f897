"""What production refuses to start with: every missing, weak, example or unencrypted value, by name."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from aaperture.lib.env import Env, weak_secret

ENCRYPTED_MODES = {"require", "verify-ca", "verify-full"}
NEEDED = {
    "google": ("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"),
    "stripe": ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"),
    "s3": ("S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"),
}


def check_production(env: Env, settings: Mapping[str, Any]) -> None:
    """Add a fault to `env` for everything in `settings` that production may not run with."""
    for name, value in (
        ("SECRET_KEY", settings["SECRET_KEY"]),
        *(("SECRET_KEY_FALLBACKS", old) for old in settings["SECRET_KEY_FALLBACKS"]),
    ):
        if fault := weak_secret(value):
            env.fault(name, fault)
    if not env.text("ENCRYPTION_KEYS"):
        env.fault("ENCRYPTION_KEYS", "is missing")
    if (settings["BACKUPS"] or settings["BACKUP_KEY"]) and (fault := weak_secret(settings["BACKUP_KEY"])):
        env.fault("BACKUP_KEY", fault)
    if settings["METRICS_TOKEN"] and (fault := weak_secret(settings["METRICS_TOKEN"])):
        env.fault("METRICS_TOKEN", fault)
    public = urlsplit(settings["PUBLIC_URL"])
    if public.scheme != "https" or not public.hostname:
        env.fault("PUBLIC_URL", "must be the https:// address of this instance")
    if "*" in settings["ALLOWED_HOSTS"] or not settings["ALLOWED_HOSTS"]:
        env.fault("ALLOWED_HOSTS", "must list the host names of this instance, and may not be *")
    if any("*" in origin or origin == "null" for origin in settings["CORS_ORIGINS"]):
        env.fault("CORS_ORIGINS", "must list origins, and may not contain *")
    for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL"):
        _check_database(env, name, settings[name], unencrypted="database" in settings["ALLOW_UNENCRYPTED"])
    _check_cache_and_mail(env, settings)
    _check_integrations(env, settings)
    _check_own_provider(env, settings)


def _check_database(env: Env, name: str, url: str, *, unencrypted: bool) -> None:
    if not url:
        env.fault(name, "is missing")
        return
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    by_socket = query.get("host", "").startswith("/")
    if not (unencrypted or by_socket) and query.get("sslmode") not in ENCRYPTED_MODES:
        env.fault(name, "must say sslmode=require, verify-ca or verify-full (or list database in ALLOW_UNENCRYPTED)")
    fault = weak_secret(unquote(parts.password or ""), least=12)
    if fault and "regular" not in fault:
        env.fault(name, f"has a password that {fault}")


def _check_cache_and_mail(env: Env, settings: Mapping[str, Any]) -> None:
    allowed = settings["ALLOW_UNENCRYPTED"]
    if not settings["REDIS_URL"]:
        env.fault("REDIS_URL", "is missing")
    elif urlsplit(settings["REDIS_URL"]).scheme not in {"rediss", "unix"} and "cache" not in allowed:
        env.fault("REDIS_URL", "must be rediss:// or a unix socket (or list cache in ALLOW_UNENCRYPTED)")
    if "email" in settings["DISABLED_INTEGRATIONS"]:
        return
    if not settings["EMAIL_URL"]:
        env.fault("EMAIL_URL", "is missing (or list email in DISABLED_INTEGRATIONS)")
    elif urlsplit(settings["EMAIL_URL"]).scheme not in {"smtps", "smtp+starttls"} and "smtp" not in allowed:
        env.fault("EMAIL_URL", "must be smtps:// or smtp+starttls:// (or list smtp in ALLOW_UNENCRYPTED)")
    if not settings["DEFAULT_FROM_EMAIL"]:
        env.fault("DEFAULT_FROM_EMAIL", "is missing")


def _check_integrations(env: Env, settings: Mapping[str, Any]) -> None:
    for integration, names in NEEDED.items():
        if integration in settings["DISABLED_INTEGRATIONS"]:
            continue
        for name in names:
            value = settings[name] if isinstance(settings[name], str) else ",".join(settings[name])
            if not value:
                env.fault(name, f"is missing (or list {integration} in DISABLED_INTEGRATIONS)")
            elif "SECRET" in name and (fault := weak_secret(value, least=16)):
                env.fault(name, fault)
    for name in ("GOOGLE_ISSUER", "GOOGLE_API_ROOT"):
        if urlsplit(settings[name]).scheme != "https":
            env.fault(name, "must be https://")
    if settings["STRIPE_API_BASE"] != settings["STRIPE_API"]:
        env.fault("STRIPE_API_BASE", "is for a sandbox: leave it empty")


def _check_own_provider(env: Env, settings: Mapping[str, Any]) -> None:
    """Sign-in with another OpenID Connect provider is off, or complete."""
    names = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
    if not any(settings[name] for name in names):
        return
    for name in names:
        if not settings[name]:
            env.fault(name, "is missing (or leave all of OIDC_… empty)")
    if settings["OIDC_ISSUER"] and urlsplit(settings["OIDC_ISSUER"]).scheme != "https":
        env.fault("OIDC_ISSUER", "must be https://")
    if settings["OIDC_CLIENT_SECRET"] and (fault := weak_secret(settings["OIDC_CLIENT_SECRET"], least=16)):
        env.fault("OIDC_CLIENT_SECRET", fault)
