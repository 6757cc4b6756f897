"""`/settings/api-keys/`: keys for programs, made after a step-up, shown once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts.http import UserRequest
from accounts.models import ApiKey
from accounts.services import api_keys
from accounts.step_up import step_up_required

SOON = timedelta(days=14)
MOST_ENDED = 20


class ApiKeyForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("What is it for?"), max_length=80, help_text=gettext_lazy("A name by which you know the program again.")
    )
    scopes = forms.ChoiceField(
        label=gettext_lazy("What may it do?"),
        choices=[("read", gettext_lazy("Read only")), ("read write", gettext_lazy("Read and write"))],
        initial="read",
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("How long does it work?"),
        choices=[
            (30, gettext_lazy("30 days")),
            (90, gettext_lazy("90 days")),
            (180, gettext_lazy("180 days")),
            (365, gettext_lazy("1 year")),
        ],
        coerce=int,
        initial=90,
    )


def _own(request: UserRequest) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(user=request.user).defer("signing_secret", "previous_secret")


@require_GET
def key_list(request: UserRequest) -> HttpResponse:
    now = timezone.now()
    rows = _own(request).order_by("-created_at")
    context = {
        "live": rows.filter(revoked_at=None, expires_at__gt=now),
        "ended": rows.exclude(revoked_at=None, expires_at__gt=now)[:MOST_ENDED],
        "soon": now + SOON,
        "documented": not settings.PRODUCTION,
    }
    return render(request, "settings/api_keys.html", context)


@require_http_methods(["GET", "POST"])
@step_up_required
def key_create(request: UserRequest) -> HttpResponse:
    """The answer to the form is the only page that ever shows the key."""
    form = ApiKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given: dict[str, Any] = form.cleaned_data | {"scopes": form.cleaned_data["scopes"].split()}
        try:
            key, raw, secret = api_keys.create(request.user, request=request, **given)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return render(request, "settings/api_key_made.html", {"key": key, "raw": raw, "secret": secret}, status=201)
    return render(request, "settings/api_key_create.html", {"form": form})


@require_http_methods(["GET", "POST"])
def key_revoke(request: UserRequest, pk: UUID) -> HttpResponse:
    key = get_object_or_404(_own(request), pk=pk)
    if request.method == "POST":
        api_keys.revoke(key, actor=request.user, request=request)
        messages.success(request, _("The key is revoked. Programs that use it are refused from now on."))
        return redirect("settings_api_keys")
    return render(request, "settings/api_key_revoke.html", {"key": key})


@require_http_methods(["GET", "POST"])
@step_up_required
def key_secret(request: UserRequest, pk: UUID) -> HttpResponse:
    """Another signing secret; the one before is accepted for a day, so that a program can change over."""
    key = get_object_or_404(_own(request).filter(revoked_at=None, expires_at__gt=timezone.now()), pk=pk)
    if request.method == "POST":
        secret = api_keys.rotate_signing_secret(key, actor=request.user, request=request)
        return render(request, "settings/api_key_made.html", {"key": key, "secret": secret}, status=201)
    return render(request, "settings/api_key_secret.html", {"key": key})
