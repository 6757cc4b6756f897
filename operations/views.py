from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.http import UserRequest
from operations.figures import charts_for, figures_for, review_due


@require_GET
@permission_required("pages.dashboard", raise_exception=True)
def console_figures(request: UserRequest) -> HttpResponse:
    """A fragment, fetched by the console's first page."""
    user = request.user
    context = {"figures": figures_for(user), "charts": charts_for(user), "review_due": review_due(user)}
    return render(request, "operations/_console_figures.html", context)
