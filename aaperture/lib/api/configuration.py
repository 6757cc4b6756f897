"""How DRF and drf-spectacular are set up, for `aaperture.settings`."""

from typing import Any

LIB = "aaperture.lib.api"
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.TokenAuthentication",
        "accounts.api.authentication.KeyAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        f"{LIB}.permissions.HasScope",
        "accounts.api.signing.SignedWhenCritical",
        f"{LIB}.permissions.HasOperation",
    ],
    "DEFAULT_PARSER_CLASSES": [f"{LIB}.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": [f"{LIB}.filters.AllowList"],
    "DEFAULT_PAGINATION_CLASS": None,
    "DEFAULT_THROTTLE_CLASSES": [],  # `ApiView.initial` counts, once and exactly
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": f"{LIB}.schema.Schema",
    "EXCEPTION_HANDLER": "accounts.api.errors.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Aaperture",
    "DESCRIPTION": "The API of an Aaperture instance. Sign in at `/api/auth/login` for an access token, or send an API key.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SCHEMA_PATH_PREFIX": r"/api/(v1/)?",
    "POSTPROCESSING_HOOKS": [],  # values stand where they are used
}
