"""What the page of today says of connections: those that have stopped working."""

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from accounts.http import UserRequest
from accounts.today import Need
from accounts.views.today import needs_panel
from integrations.models import Connection
from integrations.wording import CONNECTION_ADVICE

BROKEN = (Connection.Status.NEEDS_REAUTH, Connection.Status.ERROR)
MOST = 5


@require_GET
@vary_on_headers("HX-Request")
def needs(request: UserRequest) -> HttpResponse:
    rows = Connection.objects.visible_to(request.user).filter(status__in=BROKEN).for_pages().order_by("created_at")[:MOST]
    needs = [
        Need(
            "danger", "plug-zap", _("%(account)s is cut off") % {"account": row.account_email or row.get_provider_display()},
            _("Go to connections"), reverse("integrations:connections"), (), str(CONNECTION_ADVICE[row.status]),
        )
        for row in rows
    ]  # fmt: skip
    return needs_panel(request, _("Connections"), needs)
