"""The API asks `has_perm()`, as pages and the console do."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class HasOperation(BasePermission):
    """`view.operations` maps a method to the permission it needs; a method it does not name needs none.

    A view of one's own things names none: there ownership decides, by what the view looks among.
    """

    message = "Your role does not allow this."
    code = "forbidden"

    def has_permission(self, request: Request, view: Any) -> bool:
        method = "GET" if request.method == "HEAD" else request.method  # Django answers HEAD with a view's `get`
        needed = getattr(view, "operations", {}).get(method)
        return needed is None or request.user.has_perm(needed)


class HasScope(BasePermission):
    """A key reads only with the scope `read` and writes only with `write`; a log-in has both."""

    message = "This key does not have the scope for that."
    code = "scope_missing"

    def has_permission(self, request: Request, view: Any) -> bool:
        scopes = getattr(request.auth, "scopes", None)
        needed = "read" if request.method in {"GET", "HEAD", "OPTIONS"} else "write"
        return scopes is None or needed in scopes
