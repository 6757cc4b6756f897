from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from aaperture.lib.nudge import nudge
from audit.services import record_after
from billing import gateway
from billing.services import events
from billing.tasks import apply_event


@csrf_exempt
@login_not_required
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Check, store once, 200; a worker does the rest."""
    if not gateway.is_enabled():
        raise Http404
    try:
        event = events.receive(request.body, request.headers.get("Stripe-Signature", ""))
    except events.EventRefused as refusal:
        record_after(request, "stripe.webhook_refused", reason=refusal.code)
        body = {"detail": "Refused", "code": refusal.code, "request_id": getattr(request, "request_id", "")}
        return JsonResponse(body, status=400)
    if event is not None:
        nudge(apply_event, event.pk)
    return HttpResponse()
