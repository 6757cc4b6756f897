"""The front door and the public pages."""

from datetime import timedelta

from allauth.socialaccount.adapter import get_adapter
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.openid.views import require_proof_to_link


@login_not_required
@require_POST
def google_login(request: HttpRequest) -> HttpResponse:
    """`/auth/google`: start the sign-in flow at Google. Only by POST, so that no link can start it for somebody."""
    if not settings.GOOGLE_ENABLED:
        return redirect("account_login")
    require_proof_to_link(request)
    provider = get_adapter().get_provider(request, "google")
    return provider.redirect_from_request(request)


@login_not_required
@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    return render(request, "site/privacy.html")


@login_not_required
@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    return render(request, "site/terms.html")


@login_not_required
@require_safe
def security(request: HttpRequest) -> HttpResponse:
    return render(request, "site/security.html", {"contacts": settings.SECURITY_ALERT_EMAILS})


@login_not_required
@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """RFC 9116."""
    expires = (timezone.now() + timedelta(days=180)).strftime("%Y-%m-%dT00:00:00Z")
    contacts = settings.SECURITY_ALERT_EMAILS or []
    lines = [f"Contact: mailto:{email}" for email in contacts] or [f"Contact: {settings.PUBLIC_URL}/security/"]
    lines += [
        f"Expires: {expires}",
        "Preferred-Languages: en, fr",
        f"Canonical: {settings.PUBLIC_URL}/.well-known/security.txt",
        f"Policy: {settings.PUBLIC_URL}/security/",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
