"""What every page must be: reachable, complete, inside its width, without an accessibility fault, in every look."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SIZES = (1280, 390)
SCHEMES = ("light", "dark")
LOOKS = tuple((width, scheme) for width in SIZES for scheme in SCHEMES)
TWO_LOOKS = ((1280, "light"), (390, "dark"))  # for pages made of the same parts as others that are looked at in all four
LANGUAGES = ("en", "fr")
PICTURES = os.environ.get("PICTURES", "")  # a folder: keep a picture of every page looked at


# What htmx marks from the request to the moment in which what came stands where it belongs; what that asks for is marked at once.
UNDER_WAY = ".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added"
SETTLE = """async underWay => {
    while (document.querySelector(underWay)) await new Promise(done => setTimeout(done, 10));
    document.getAnimations().filter(one => one instanceof CSSTransition).forEach(one => one.finish());
}"""
# A page that asks again every few seconds would change while somebody looks at it.
HOLD_STILL = "() => document.addEventListener('htmx:beforeRequest', event => event.preventDefault())"
TURN = """async ([width, scheme]) => {
    const turned = () => innerWidth === width && matchMedia(`(prefers-color-scheme: ${scheme})`).matches;
    while (!turned()) await new Promise(done => setTimeout(done, 10));
}"""
OVERFLOW = """() => document.documentElement.scrollWidth <= innerWidth ? "" :
    [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 5).map(e => e.tagName + "." + e.className).join(", ") || "yes"
"""


# Whether everything stands where it stood at the last look, and as visible: then only colours can have changed.
SAME_SHAPE = """() => {
    const before = window.shapeSeen;
    window.shapeSeen = [...document.querySelectorAll("body *")].map(e => {
        const box = e.getBoundingClientRect();
        return [e.checkVisibility({opacityProperty: true, visibilityProperty: true}), box.x, box.y, box.width, box.height].join();
    }).join(";");
    return window.shapeSeen === before;
}"""
COLOUR_RULES = ["color-contrast", "link-in-text-block"]


def settle(page: Any) -> None:
    """What the page fetches by itself has come, and colours that are on their way to others have arrived."""
    page.evaluate(SETTLE, UNDER_WAY)


def overflow(page: Any) -> str:
    """The elements that stick out on the right, or nothing."""
    return page.evaluate(OVERFLOW)


def speak(page: Any, url: str, language: str) -> None:
    page.context.add_cookies([{"name": "language", "value": language, "url": url}])


def look_at(
    page: Any,
    axe: Callable[..., list[Any]],
    url: str,
    *,
    status: int = 200,
    known: frozenset[str] = frozenset(),
    looks: Sequence[tuple[int, str]] = LOOKS,
    ready: Callable[[Any], None] | None = None,
    **options: Any,
) -> list[str]:
    """Open `url` and look at it in both sizes and both colour schemes, or in those of `looks`; returns faults.

    It is loaded once: size and colours are matters of style sheets, which follow as they do for somebody who turns
    their phone. What it fetches by itself is there before, and from then on it changes no more. `known` names accessibility rules
    to pass over, `ready` waits for more than that; `options` go to axe.
    """
    faults = []
    name = url.partition("//")[2].partition("/")[2].strip("/").replace("/", "_").replace("?", "_") or "home"
    page.set_viewport_size({"width": SIZES[0], "height": 844})
    page.emulate_media(color_scheme=SCHEMES[0])
    response = page.goto(url)
    if response.status != status:
        faults.append(f"{name}: answered {response.status}")
    if ready:
        ready(page)
    settle(page)
    page.evaluate(HOLD_STILL)
    for width, scheme in looks:
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme=scheme)
        page.evaluate(TURN, [width, scheme])
        settle(page)
        seen = f"{name} at {width} px, {scheme}"
        if sticking := overflow(page):
            faults.append(f"{seen}: too wide because of {sticking}")
        rules = {"runOnly": COLOUR_RULES} if page.evaluate(SAME_SHAPE) else {}
        faults += [f"{seen}: {rule} {elements}" for rule, _impact, elements in axe(**options, **rules) if rule not in known]
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"{name}-{width}-{scheme}.png", full_page=True)
    return faults
