"""What was deleted in another tab between the look and the change is simply not there any more."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db.models import Model
from django.http import Http404, HttpResponse

View = Callable[..., HttpResponse]


def missing_is_404(*models: type[Model]) -> Callable[[View], View]:
    """For a view whose services look rows of these models up again."""
    gone: tuple[type[Exception], ...] = tuple(model.DoesNotExist for model in models)  # type: ignore[attr-defined]  # of each model

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return view(*args, **kwargs)
            except gone:
                raise Http404 from None

        return guarded

    return decorate
