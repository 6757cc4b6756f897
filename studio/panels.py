"""What apps to the left show on pages of this one: URL names, fetched with `hx-get` when the page is there.

An app registers its own in a module that its `AppConfig.ready` imports: `register("project", "documents:project_panel")`. The URL
takes the contact's, project's or session's id as its one argument and answers a fragment, which replaces its place holder. One
for "search" takes no argument but `?q=`, and answers nothing where nothing fits.
"""

from django.urls import NoReverseMatch, reverse

PLACES = ("contact", "project", "session", "search", "quote", "contract", "invoice")  # the last three: pages of `documents`
_PANELS: dict[str, list[str]] = {place: [] for place in PLACES}


def register(place: str, url_name: str) -> None:
    """Raises KeyError for a place that is none of `PLACES`."""
    if url_name not in _PANELS[place]:
        _PANELS[place].append(url_name)


def urls_of(place: str, *args: object) -> list[str]:
    found = []
    for name in _PANELS[place]:
        try:
            found.append(reverse(name, args=args))
        except NoReverseMatch:
            continue
    return found
