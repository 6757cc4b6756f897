"""`/settings/…`: one's own profile and studio."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.i18n import set_language

from accounts.forms import ProfileForm, StudioForm
from accounts.http import UserRequest
from accounts.models import Membership, User
from accounts.services import studios, users


@require_GET
def settings_index(request: UserRequest) -> HttpResponse:
    return redirect("settings_profile")


@require_http_methods(["GET", "POST"])
def profile(request: UserRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        user = User.objects.get(pk=request.user.pk)  # the form has written into request.user already
        users.update_profile(user, changes=form.cleaned_data, request=request)
        request.session["language"] = user.language
        with override(user.language):
            messages.success(request, _("Saved."))
        return redirect("settings_profile")
    return render(request, "settings/profile.html", {"form": form})


@require_http_methods(["GET", "POST"])
def studio(request: UserRequest) -> HttpResponse:
    membership = Membership.objects.current().filter(user=request.user, role=Membership.Role.OWNER).select_related("organization").first()
    form = StudioForm(request.POST or None, instance=membership.organization) if membership else None
    if membership and form and request.method == "POST" and form.is_valid():
        studios.rename_organization(membership.organization, name=form.cleaned_data["name"], actor=request.user, request=request)
        messages.success(request, _("Saved."))
        return redirect("settings_studio")
    return render(request, "settings/studio.html", {"form": form})


@login_not_required
@require_POST
def choose_language(request: UserRequest) -> HttpResponse:
    """The switch at the foot of every page: for this browser, and for the account of whoever is signed in."""
    language = request.POST.get("language", "")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        users.update_profile(request.user, changes={"language": language}, request=request)
        request.session["language"] = language
    return set_language(request)
