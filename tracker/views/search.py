"""What the search of the whole site shows of one's opportunities."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.http import UserRequest
from tracker.models import Opportunity

SHOWN = 6


@require_GET
def found(request: UserRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:200]
    rows = Opportunity.objects.visible_to(request.user).search(text).for_lists().newest_first()
    return render(request, "tracker/_search_panel.html", {"rows": rows[:SHOWN] if text else [], "search": text})
