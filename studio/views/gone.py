"""What was deleted in another tab between the look and the change is simply not there any more."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpResponse

from studio.models import Contact, PhotoSession, Project


def gone_is_404(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(*args, **kwargs)
        except (Contact.DoesNotExist, Project.DoesNotExist, PhotoSession.DoesNotExist):
            raise Http404 from None

    return guarded
