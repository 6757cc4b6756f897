"""The console's page of keys and secrets: what there is, how old it is, what depends on it, and the next thing to do."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import console
from aaperture.lib.nudge import nudge
from accounts.admin.ending import operator
from operations import key_usage, known_secrets
from operations.services.key_rotation import PERMISSION, ask_for_rotation
from operations.tasks import rotate_keys


def state() -> dict[str, Any]:
    """What the page and its fragment show of the ring."""
    uses, latest = key_usage.key_uses(), key_usage.latest_rotation()
    step = key_usage.next_step(uses, latest)
    running = latest if step is key_usage.Step.RUNNING else None
    done, total = key_usage.progress(running) if running else (0, 0)
    older = [use for use in uses if not use.is_first]
    return {
        "uses": uses, "step": step.value, "rotation": latest, "done": done, "total": total, "due_days": known_secrets.DUE.days,
        "missing": [use for use in uses if not use.in_ring], "removable": [use for use in older if use.is_removable],
        "waiting": sum(use.wraps for use in older),
    }  # fmt: skip


def keys_view(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        _start(request)
        return redirect("admin:operations_keys")
    secrets = known_secrets.inventory()
    context = {**console.each_context(request), "title": _("Keys and secrets"), "secrets": secrets, **state()}
    return TemplateResponse(request, "operations/keys.html", context)


def _start(request: HttpRequest) -> None:
    try:
        asked = ask_for_rotation(operator(request), request)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        nudge(rotate_keys, asked.pk)
        messages.success(request, _("The rotation goes on in the background. This page shows how far it is."))


console.add_page(
    "operations", _("Keys and secrets"), keys_view, route="operations/keys/", url_name="operations_keys", permission=PERMISSION
)
