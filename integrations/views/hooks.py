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

ANSWERS = {  # to whoever signed rightly, when nothing was stored: status, code, what it means
    deliveries.NotTaken.FULL: (429, "inbox_full", "Too much waits to be taken in. Deliver again later."),
    deliveries.NotTaken.NOT_ENTITLED: (403, "not_entitled", "Nothing is taken in for the owner of this address."),
}
FULL_FOR = 60  # seconds after which trying again may help
RECORDED = 60  # refusals of one address in a minute: whoever knocks more often than that does not fill the log, which keeps every line


@csrf_exempt
@login_not_required
@require_POST
def hook(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Check the raw bytes, store once, 202; a run does the rest.

    Whatever is wrong, the answer is one and the same; only who has signed rightly learns why nothing was stored.
    """
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > deliveries.LARGEST:
            raise deliveries.DeliveryRefused("size")
        connection = deliveries.receive(
            pk, body=request.body, timestamp=request.headers.get("X-Timestamp", ""), signature=request.headers.get("X-Signature", "")
        )
    except deliveries.DeliveryRefused as refusal:
        return _refused(request, refusal.code, 401, "refused", "Refused")
    except deliveries.NotTaken as refusal:
        response = _refused(request, refusal.code, *ANSWERS[refusal.code])
        if response.status_code == 429:
            response["Retry-After"] = str(FULL_FOR)
        return response
    except deliveries.TooMany as busy:
        return too_many_requests(request, busy.seconds)
    if deliveries.is_first_for_a_while(connection):
        nudge(take_in, connection.pk)
    return HttpResponse(status=202)


def _refused(request: HttpRequest, reason: str, status: int, code: str, detail: str) -> HttpResponse:
    if not limits.take([limits.Key(f"hook|refused|{client_address(request)}", RECORDED, 60)]):
        record_after(request, "webhook.refused", reason=reason)
    return JsonResponse({"detail": detail, "code": code, "request_id": getattr(request, "request_id", "")}, status=status)
