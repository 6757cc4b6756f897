"""The API below /v1: keys, idempotency, and the calls that contributions need."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.stripe import objects
from sandbox.stripe.errors import StripeError, required
from sandbox.stripe.forms import decode
from sandbox.stripe.objects import CURRENT, Object, listed, make, render

if TYPE_CHECKING:
    from sandbox.stripe.world import StripeWorld

Call = Callable[["StripeWorld", Object, str], Any]
SESSION_FIELDS = {
    "mode", "line_items", "success_url", "cancel_url", "client_reference_id", "metadata", "payment_intent_data", "subscription_data",
    "expires_at", "customer", "customer_email", "locale", "submit_type", "allow_promotion_codes", "payment_method_types", "expand",
}  # fmt: skip
REUSED = "Keys for idempotent requests can only be used with the same parameters they were first used with."
LEAST = 50  # cents: Stripe's smallest charge in most currencies
RETRIEVED = {
    "checkout/sessions": "checkout.session", "payment_intents": "payment_intent", "charges": "charge", "subscriptions": "subscription",
    "invoices": "invoice", "invoice_payments": "invoice_payment", "refunds": "refund", "disputes": "dispute", "customers": "customer",
    "products": "product", "prices": "price",
}  # fmt: skip
FILTERS = ("payment_intent", "subscription", "customer", "invoice", "status", "charge")


async def api(request: Request) -> Response:
    """Every call: who asks, the same answer for the same idempotency key, then what was asked."""
    world: StripeWorld = request.app.state.world.stripe
    body = (await request.body()).decode()
    params = decode(f"{request.url.query}&{body}" if body else request.url.query)
    path, key = request.path_params["path"], request.headers.get("idempotency-key", "")
    world.asked.append({"at": time.time(), "method": request.method, "path": f"/v1/{path}", "params": params, "idempotency_key": key})
    request.scope["sandbox.api"] = "stripe." + re.sub(r"/\w+_\w{10,}", "", path).replace("/", ".")
    headers = {"Request-Id": f"req_{secrets.token_hex(7)}", "Stripe-Version": request.headers.get("stripe-version", CURRENT)}
    try:
        check_key(world, request.headers.get("authorization", ""))
        status, answer, replayed = once(world, request, path, params, key)
    except StripeError as error:
        status, answer, replayed = error.status, error.document(), False
    if request.method != "GET" and f"/v1/{path}" in world.lost:
        world.lost.remove(f"/v1/{path}")
        status, answer, replayed = 500, {"error": {"type": "api_error", "message": "The answer was lost on its way."}}, False
        if f"/v1/{path}" in world.kept and key in world.answers:
            world.answers[key] = (world.answers[key][0], status, answer)
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return JSONResponse(answer, status_code=status, headers=headers)


def check_key(world: StripeWorld, authorization: str) -> None:
    kind, _, given = authorization.partition(" ")
    if kind.lower() == "basic":
        given = base64.b64decode(given + "==").decode("utf-8", "replace").partition(":")[0]
    if not given:
        raise StripeError("You did not provide an API key.", status=401)
    if given != world.key:
        raise StripeError(f"Invalid API Key provided: {given[:8]}{'*' * 10}{given[-4:]}", status=401)


def once(world: StripeWorld, request: Request, path: str, params: Object, key: str) -> tuple[int, Any, bool]:
    """(status, answer, whether it is the answer of before). Refusals are answered again as well, as at Stripe."""
    version = request.headers.get("stripe-version", CURRENT)
    if request.method != "POST" or not key:
        return (*answer_of(world, request.method, path, params, version), False)
    asked = hashlib.sha256(json.dumps([path, params], sort_keys=True).encode()).hexdigest()
    if key in world.answers:
        before, status, answer = world.answers[key]
        if before != asked:
            raise StripeError(REUSED, kind="idempotency_error")
        return status, answer, True
    status, answer = answer_of(world, request.method, path, params, version)
    world.answers[key] = (asked, status, answer)
    return status, answer, False


def answer_of(world: StripeWorld, method: str, path: str, params: Object, version: str) -> tuple[int, Any]:
    try:
        return 200, serve(world, method, path, params, version)
    except StripeError as error:
        return error.status, error.document()


def serve(world: StripeWorld, method: str, path: str, params: Object, version: str) -> Any:
    expand = tuple(params.pop("expand", []))
    for verb, pattern, call in CALLS:
        match = re.fullmatch(pattern, path)
        if match and verb == method:
            return render(world, call(world, params, match["id"] if "id" in match.groupdict() else ""), version=version, expand=expand)
    resource, _, name = path.rpartition("/")
    if method == "GET" and resource in RETRIEVED:
        return render(world, world.get(RETRIEVED[resource], name), version=version, expand=expand)
    if method == "GET" and path in RETRIEVED:
        return page_of(world, path, params, version, expand)
    if method == "GET" and path == "events":
        return listed("/v1/events", list(reversed(world.webhooks.events))[: int(params.get("limit", 10))])
    raise StripeError(f"Unrecognized request URL ({method}: /v1/{path}).", status=404)


def page_of(world: StripeWorld, path: str, params: Object, version: str, expand: tuple[str, ...]) -> Object:
    rows = [row for row in world.all(RETRIEVED[path]) if fits(world, row, params)]
    if after := params.get("starting_after"):
        names = [row["id"] for row in rows]
        rows = rows[names.index(after) + 1 :] if after in names else []
    limit = int(params.get("limit", 10))
    if not 1 <= limit <= 100:
        raise StripeError("Limit must be between 1 and 100.", param="limit")
    below = tuple(one.removeprefix("data.") for one in expand)
    shown = [render(world, row, version=version, expand=below) for row in rows[:limit]]
    return listed(f"/v1/{path}", shown, more=len(rows) > limit)


def fits(world: StripeWorld, row: Object, params: Object) -> bool:
    created = params.get("created", {})
    if isinstance(created, dict):
        if "gte" in created and row["created"] < int(created["gte"]):
            return False
        if "lte" in created and row["created"] > int(created["lte"]):
            return False
    if "payment" in params and row["payment"]["payment_intent"] != params["payment"].get("payment_intent"):
        return False
    if row["object"] == "subscription" and "status" not in params and row["status"] == "canceled":
        return False
    for name in FILTERS:
        wanted = params.get(name)
        if wanted and not (name == "status" and wanted == "all") and subject(row, name) != wanted:
            return False
    return True


def subject(row: Object, name: str) -> Any:
    if row["object"] == "invoice" and name == "subscription":
        return row["parent"]["subscription_details"]["subscription"]
    return row.get(name)


# --- the calls that do something


def create_session(world: StripeWorld, params: Object, _name: str) -> Object:
    for name in params:
        if name not in SESSION_FIELDS:
            raise StripeError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    mode = params.get("mode")
    if mode not in {"payment", "subscription"}:
        raise required("mode") if not mode else StripeError("Invalid mode: must be one of payment, subscription", param="mode")
    if not params.get("success_url"):
        raise required("success_url")
    lines = params.get("line_items") or []
    if len(lines) != 1:
        raise required("line_items")
    row = price_of(world, lines[0], monthly=mode == "subscription")
    total = row["unit_amount"] * int(lines[0].get("quantity", 1))
    if 0 < total < LEAST:
        raise StripeError("The Checkout Session's total amount must convert to at least 50 cents.", code="amount_too_small")
    item = {
        "price": row, "intent_metadata": params.get("payment_intent_data", {}).get("metadata", {}),
        "subscription_metadata": params.get("subscription_data", {}).get("metadata", {}),
    }  # fmt: skip
    return world.add(
        objects.session(
            mode=mode,
            total=total,
            currency=row["currency"],
            item=item,
            metadata=params.get("metadata", {}),
            urls={"success": params["success_url"], "cancel": params.get("cancel_url")},
            reference=params.get("client_reference_id"),
            expires_at=int(params.get("expires_at", time.time() + 86400)),
        )
    )


def price_of(world: StripeWorld, line: Object, *, monthly: bool) -> Object:
    if line.get("price"):
        return world.get("price", line["price"])
    data = line.get("price_data")
    if not data:
        raise required("line_items[0][price_data]")
    amount = data.get("unit_amount", "")
    if not re.fullmatch(r"\d{1,8}", str(amount)):
        raise StripeError(f"Invalid integer: {amount}", code="parameter_invalid_integer", param="line_items[0][price_data][unit_amount]")
    if not re.fullmatch(r"[a-z]{3}", data.get("currency", "")):
        raise StripeError("Invalid currency.", param="line_items[0][price_data][currency]")
    if monthly and not data.get("recurring"):
        raise StripeError("You must provide at least one recurring price in `subscription` mode.", param="line_items")
    if data.get("recurring") and not monthly:
        raise StripeError("You specified `payment` mode but passed a recurring price.", param="line_items")
    product = data.get("product")
    if not product:
        if not data.get("product_data", {}).get("name"):
            raise required("line_items[0][price_data][product_data][name]")
        product = world.add(make("product", active=True, name=data["product_data"]["name"]))["id"]
    return world.add(objects.price(amount=int(amount), currency=data["currency"], product=product, recurring=data.get("recurring")))


def update_subscription(world: StripeWorld, params: Object, name: str) -> Object:
    sub = world.get("subscription", name)
    if sub["status"] == "canceled":
        raise StripeError("A canceled subscription can only update its cancellation_details and metadata.")
    fields: Object = {}
    if "cancel_at_period_end" in params:
        ending = params["cancel_at_period_end"] == "true"
        item = sub["items"]["data"][0]
        fields = {"cancel_at_period_end": ending, "cancel_at": item["current_period_end"] if ending else None,
                  "canceled_at": int(time.time()) if ending else None}  # fmt: skip
    for change in params.get("items", []):
        item = sub["items"]["data"][0]
        if change.get("id") != item["id"]:
            raise StripeError("Invalid subscription item id.", param="items[0][id]")
        row = price_of(world, change, monthly=True)
        sub["items"]["data"][0] = item | {"price": row}
        fields["currency"] = row["currency"]
        world.say("customer.subscription.updated", sub, {"items": {"data": [item]}})
    return world.change(sub, **fields)


def cancel_subscription(world: StripeWorld, params: Object, name: str) -> Object:
    return world.cancel(world.get("subscription", name))


def create_refund(world: StripeWorld, params: Object, _name: str) -> Object:
    if not params.get("payment_intent"):
        raise required("payment_intent")
    amount = int(params["amount"]) if "amount" in params else None
    intent = world.get("payment_intent", params["payment_intent"])
    return world.refund(intent, amount=amount, metadata=params.get("metadata", {}), reason=params.get("reason"))


def create_plain(kind: str) -> Call:
    def create(world: StripeWorld, params: Object, _name: str) -> Object:
        if kind == "price":
            return price_of(world, {"price_data": params}, monthly="recurring" in params)
        return world.add(make(kind, **{"metadata": {}, **params}))

    return create


CALLS: list[tuple[str, str, Call]] = [
    ("POST", r"checkout/sessions", create_session),
    ("POST", r"checkout/sessions/(?P<id>\w+)/expire", lambda world, params, name: world.expire(world.get("checkout.session", name))),
    ("POST", r"subscriptions/(?P<id>\w+)", update_subscription),
    ("DELETE", r"subscriptions/(?P<id>\w+)", cancel_subscription),
    ("POST", r"refunds", create_refund),
    ("POST", r"customers", create_plain("customer")),
    ("POST", r"products", create_plain("product")),
    ("POST", r"prices", create_plain("price")),
]
routes = [Route("/v1/{path:path}", api, methods=["GET", "POST", "DELETE"])]
