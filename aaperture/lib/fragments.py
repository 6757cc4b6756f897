"""Parts of pages that have addresses of their own, because their page fetches them anew."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.cache import patch_vary_headers

View = Callable[..., HttpResponse]


def part_of(url_name: str) -> Callable[[View], View]:
    """For a view that answers a part of the page of that name: a browser that opens its address is led to the whole page."""

    def decorate(view: View) -> View:
        @wraps(view)
        def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            opened = request.headers.get("Sec-Fetch-Mode") == "navigate"
            response = redirect(url_name) if opened else view(request, *args, **kwargs)
            patch_vary_headers(response, ["Sec-Fetch-Mode"])
            return response

        return answered

    return decorate
