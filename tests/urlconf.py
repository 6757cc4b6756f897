"""Every URL there is, so that a test can ask something of each."""

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver


def every_url(resolver: URLResolver, prefix: str = "", route: str = "") -> Iterator[tuple[str, str, URLPattern]]:
    """View name as requests know it, route, pattern."""
    for pattern in resolver.url_patterns:
        where = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from every_url(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix, where)
        else:
            yield f"{prefix}{pattern.name or pattern.lookup_str}", where, pattern
