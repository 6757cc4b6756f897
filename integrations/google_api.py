"""What every API of Google's has in common: the library's own description of it, how it says no, how a line breaks."""

import json
import socket
import ssl
from functools import cache
from http.client import HTTPException

import googleapiclient.http
import httplib2
from django.conf import settings
from googleapiclient.discovery import Resource, build_from_document
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.errors import HttpError

from integrations import google_oauth
from integrations.errors import OAuthUnavailable, Refused

# The library turns a longer GET into a POST with an override header; Google takes long addresses, and others only those.
googleapiclient.http.MAX_URI_LENGTH = 8000
RATE_REASONS = {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded", "backendError"}
BROKEN_LINE = (OSError, socket.timeout, ssl.SSLError, httplib2.HttpLib2Error, ConnectionError, HTTPException)


@cache
def _described(name: str, version: str, root: str) -> Resource:
    document = json.loads(get_static_doc(name, version))
    document["rootUrl"] = root.rstrip("/") + "/"
    document["baseUrl"] = document["rootUrl"] + document["servicePath"]
    document.pop("mtlsRootUrl", None)
    return build_from_document(document, http=httplib2.Http())


def described(name: str, version: str) -> Resource:
    """The API `name` of the library's own discovery document, moved to where this instance is told to find Google. Raises Refused."""
    try:
        google_oauth.require_tls(settings.GOOGLE_API_ROOT)
    except OAuthUnavailable as error:
        raise Refused(error.code) from None
    return _described(name, version, settings.GOOGLE_API_ROOT)


def reason_of(error: HttpError) -> str:
    """Google's machine-readable reason of an error answer; the rest of the body is not looked at."""
    try:
        return json.loads(error.content)["error"]["errors"][0]["reason"]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""


def no_redirects(timeout: float) -> httplib2.Http:
    """A connection that follows nobody elsewhere and heeds no proxy of the environment."""
    http = httplib2.Http(timeout=timeout, proxy_info=None)
    http.follow_redirects = False
    return http
