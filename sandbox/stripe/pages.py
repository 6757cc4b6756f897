"""The page that takes the money, and the console of the pretend Stripe."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.pages import TEMPLATES, render
from sandbox.stripe.errors import StripeError

if TYPE_CHECKING:
    from sandbox.stripe.objects import Object
    from sandbox.stripe.world import StripeWorld

RECENT = 40
SYMBOLS = {"eur": "€", "usd": "$", "gbp": "£"}


def money(amount: int, currency: str) -> str:
    return f"{amount / 100:,.2f} {SYMBOLS.get(currency, currency.upper())}"


TEMPLATES.filters["money"] = money


def world_of(request: Request) -> StripeWorld:
    world: StripeWorld = request.app.state.world.stripe
    return world


async def pay_page(request: Request) -> Response:
    """GET shows what is to be paid; POST pays, fails to, or goes back."""
    world, name = world_of(request), request.path_params["session"]
    session = world.objects.get(name)
    if session is None or session["object"] != "checkout.session":
        return render(request, "not_found.html", {}, status=404)
    declined = False
    if request.method == "POST":
        form = await request.form()
        way = str(form.get("do", ""))
        try:
            if way in {"card", "debit", "coupon"}:
                world.pay(session, email=str(form.get("email", "")), way=way)
                return RedirectResponse(session["success_url"].replace("{CHECKOUT_SESSION_ID}", name), status_code=303)
            world.decline(session)
            declined = True
        except StripeError:
            pass  # it is open no more: the page says so
    context = {"session": session, "item": session["_item"], "declined": declined}
    return render(request, "stripe_pay.html", context)


async def home(request: Request) -> Response:
    world = world_of(request)
    context = {
        "stripe": world, "intents": list(islice(world.all("payment_intent"), RECENT)), "subscriptions": world.all("subscription"),
        "disputes": {row["payment_intent"]: row for row in world.all("dispute")}, "hooks": world.webhooks.as_dict(),
        "sessions": list(islice(world.all("checkout.session"), RECENT)), "said": request.query_params.get("said", ""),
    }  # fmt: skip
    return render(request, "stripe.html", context)


Act = Callable[["StripeWorld", "Object"], object]
ACTS: dict[str, tuple[str, Act]] = {
    # what the console's buttons do: (the kind of object, the deed)
    "refund": ("payment_intent", lambda world, row: world.refund(row, amount=None, metadata={})),
    "dispute": ("payment_intent", lambda world, row: world.open_dispute(row)),
    "win": ("dispute", lambda world, row: world.close_dispute(row, won=True)),
    "lose": ("dispute", lambda world, row: world.close_dispute(row, won=False)),
    "renew": ("subscription", lambda world, row: world.renew(row)),
    "renew-failing": ("subscription", lambda world, row: world.renew(row, outcome="failed")),
    "pay-overdue": ("subscription", lambda world, row: world.pay_overdue(row)),
    "pause": ("subscription", lambda world, row: world.pause(row, on=True)),
    "resume": ("subscription", lambda world, row: world.pause(row, on=False)),
    "suspend": ("subscription", lambda world, row: world.suspend(row)),
    "cancel": ("subscription", lambda world, row: world.cancel(row)),
    "expire": ("checkout.session", lambda world, row: world.expire(row)),
    "settle": ("checkout.session", lambda world, row: world.settle(row, well=True)),
    "bounce": ("checkout.session", lambda world, row: world.settle(row, well=False)),
}


async def act(request: Request) -> Response:
    world, form = world_of(request), await request.form()
    name = str(form.get("do", ""))
    try:
        if name == "repeat":
            said = f"{world.webhooks.send(None, times=(1, 3), seed=1)} deliveries under way."
        else:
            kind, do = ACTS[name]
            do(world, world.get(kind, str(form.get("id", ""))))
            said = "Done; its events are on their way."
    except KeyError:
        said = "Nothing done."
    except StripeError as error:
        said = str(error)
    return RedirectResponse(f"/?said={quote(said)}", status_code=303)


async def receipt(request: Request) -> Response:
    row = world_of(request).objects.get(request.path_params["charge"])
    if row is None or row["object"] != "charge":
        return render(request, "not_found.html", {}, status=404)
    return render(request, "stripe_receipt.html", {"charge": row})


routes = [
    Route("/", home),
    Route("/console/act", act, methods=["POST"]),
    Route("/c/pay/{session}", pay_page, methods=["GET", "POST"]),
    Route("/receipts/{charge}", receipt),
]
