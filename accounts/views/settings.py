"""`/settings/…`: one's own profile and language."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.i18n import set_language

from accounts.forms import ProfileForm
from accounts.http import UserRequest
from accounts.models import User
from accounts.services import users


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


@login_not_required
@require_POST
def choose_language(request: UserRequest) -> HttpResponse:
    """The switch at the foot of every page: for this browser, and for the account of whoever is signed in."""
    language = request.POST.get("language", "")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        users.update_profile(request.user, changes={"language": language}, request=request)
        request.session["language"] = language
    return set_language(request)
