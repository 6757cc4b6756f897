"""The project's addresses, and one for every way a request can end badly."""

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.urls import path

from aaperture.lib.limits import too_many_requests
from aaperture.urls import handler400, handler403, handler404, handler500, urlpatterns
from accounts.views.errors import csrf_failed

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


def _raising(error):
    @login_not_required
    def view(request):
        raise error

    return view


urlpatterns = [
    *urlpatterns,
    path("broken/400/", _raising(SuspiciousOperation("no"))),
    path("broken/403/", _raising(PermissionDenied)),
    path("broken/500/", _raising(RuntimeError("on purpose"))),
    path("broken/429/", login_not_required(lambda request: too_many_requests(request, 42))),
    path("broken/csrf/", login_not_required(lambda request: csrf_failed(request, "no cookie"))),
]
