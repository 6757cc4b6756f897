"""What tests may do to the pretend Stripe, below `/_control/stripe/`. README.md documents each path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from sandbox.control import Body, RefusedError, route
from sandbox.stripe.errors import StripeError
from sandbox.stripe.objects import render
from sandbox.stripe.pages import ACTS

if TYPE_CHECKING:
    from sandbox.world import World


def show(world: World, body: Body, request: Request) -> Body:
    stripe = world.stripe
    return {"url": stripe.base_url, "objects": [render(stripe, row) for row in stripe.objects.values()], **stripe.webhooks.as_dict()}


def configure(world: World, body: Body, request: Request) -> Body:
    world.stripe.webhooks.configure(**body)
    return world.stripe.webhooks.as_dict()


def show_webhooks(world: World, body: Body, request: Request) -> Body:
    return world.stripe.webhooks.as_dict()


def list_events(world: World, body: Body, request: Request) -> Body:
    return {"events": world.stripe.webhooks.events}


def send(world: World, body: Body, request: Request) -> Body:
    """Deliver again: `ids` (all), `times` [least, most], `seed` shuffles."""
    least, most = body.get("times", [1, 1])
    return {"sent": world.stripe.webhooks.send(body.get("ids"), times=(least, most), seed=body.get("seed"))}


def invent(world: World, body: Body, request: Request) -> Body:
    """An event of any type about any object, as if it had happened."""
    event = world.stripe.webhooks.happened(body["type"], body["object"])
    event.update(body.get("fields", {}))
    return event


def do(world: World, body: Body, request: Request) -> Any:
    """`{"do": "pay", "id": …}`; the deeds are those of the console, and those below."""
    stripe, name = world.stripe, body["do"]
    try:
        if name in ACTS:
            kind, deed = ACTS[name]
            deed(stripe, stripe.get(kind, body["id"]))
            return render(stripe, stripe.objects[body["id"]])
        return render(stripe, MORE[name](world, body))
    except StripeError as error:
        raise RefusedError(str(error), error.status) from None


def pay(world: World, body: Body) -> Body:
    session = world.stripe.get("checkout.session", body["id"])
    return world.stripe.pay(session, way=body.get("way", "card"), email=body.get("email", ""))


def decline(world: World, body: Body) -> Body:
    session = world.stripe.get("checkout.session", body["id"])
    world.stripe.decline(session)
    return session


def renew(world: World, body: Body) -> Body:
    return world.stripe.renew(world.stripe.get("subscription", body["id"]), outcome=body["outcome"])


def refund(world: World, body: Body) -> Body:
    intent = world.stripe.get("payment_intent", body["id"])
    return world.stripe.refund(intent, amount=body["amount"], metadata={}, status=body.get("status", "succeeded"))


def fail_refund(world: World, body: Body) -> Body:
    return world.stripe.fail_refund(world.stripe.get("refund", body["id"]))


def forget(world: World, body: Body) -> Body:
    return world.stripe.objects.pop(body["id"])


MORE = {"pay": pay, "decline": decline, "renew-as": renew, "refund-part": refund, "fail-refund": fail_refund, "forget": forget}


def list_asked(world: World, body: Body, request: Request) -> Body:
    return {"requests": list(world.stripe.asked)}


def lose_answer(world: World, body: Body, request: Request) -> Body:
    """The next write to `path` is done, but its answer is a 500; `kept`: so is every answer to the same idempotency key."""
    world.stripe.lost.append(body["path"])
    if body.get("kept"):
        world.stripe.kept.add(body["path"])
    return {"lost": world.stripe.lost}


routes = [
    route("/stripe", GET=show),
    route("/stripe/webhooks", GET=show_webhooks, POST=configure),
    route("/stripe/events", GET=list_events, POST=invent),
    route("/stripe/send", POST=send),
    route("/stripe/do", POST=do),
    route("/stripe/requests", GET=list_asked),
    route("/stripe/lose-answer", POST=lose_answer),
]
