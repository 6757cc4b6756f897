"""Every URL there is, so that a test can ask something of each."""

from collections.abc import Iterator

from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse


def every_url(resolver: URLResolver, prefix: str = "", route: str = "") -> Iterator[tuple[str, str, URLPattern]]:
    """View name as requests know it, route, pattern."""
    for pattern in resolver.url_patterns:
        where = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from every_url(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix, where)
        else:
            yield f"{prefix}{pattern.name or pattern.lookup_str}", where, pattern


EXAMPLES = {"uuid": "00000000-0000-7000-8000-000000000000", "slug": "google", "int": 1, "str": "x", "path": "x"}


def every_path() -> dict[str, str]:
    """One path for every URL, by its name; what exists there need not."""
    paths = {}
    for name, _route, pattern in every_url(get_resolver()):
        converters = pattern.pattern.converters
        kwargs = {
            key: next(EXAMPLES[kind] for kind in EXAMPLES if type(one).__name__.lower().startswith(kind)) for key, one in converters.items()
        }
        groups = set(pattern.pattern.regex.groupindex)
        for example in (1, "x", "1-x"):
            try:
                paths[name] = reverse(name, kwargs=dict.fromkeys(groups - set(kwargs), example) | kwargs)
                break
            except NoReverseMatch:
                continue
    return paths
