from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from aaperture.lib import limits
from aaperture.lib.client_address import client_address
from aaperture.lib.limits import too_many_requests
from aaperture.lib.nudge import nudge
from audit.services import record_after
from integrations.services import deliveries
from integrations.tasks import take_in

RECORDED = 60  # refusals of one address in a minute: whoever knocks more often than that does not fill the log, which keeps every line


@csrf_exempt
@login_not_required
@require_POST
def hook(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Check the raw bytes, store once, 202; a run does the rest. Whatever is wrong, the answer is one and the same (R-170)."""
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > deliveries.LARGEST:
            raise deliveries.DeliveryRefused("size")
        connection = deliveries.receive(
            pk, body=request.body, timestamp=request.headers.get("X-Timestamp", ""), signature=request.headers.get("X-Signature", "")
        )
    except deliveries.DeliveryRefused as refusal:
        if not limits.take([limits.Key(f"hook|refused|{client_address(request)}", RECORDED, 60)]):
            record_after(request, "webhook.refused", reason=refusal.code)
        body = {"detail": "Refused", "code": "refused", "request_id": getattr(request, "request_id", "")}
        return JsonResponse(body, status=401)
    except deliveries.TooMany as busy:
        return too_many_requests(request, busy.seconds)
    if deliveries.is_first_for_a_while(connection):
        nudge(take_in, connection.pk)
    return HttpResponse(status=202)
