"""`/opportunities/…/convert/`: a won opportunity becomes a contact, a project and its first session."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.http import UserRequest
from accounts.studio_roles import require
from studio.access import here
from studio.services import contacts
from studio.services.sessions import TimeTaken
from studio.views.sessions import taken
from tracker import conversion
from tracker.conversion_forms import ClientForm, FirstSessionForm
from tracker.models import Opportunity
from tracker.stages import Stage
from tracker.views.gone import gone_is_404

NEEDED = ("projects.edit", "sessions.edit")


@require_http_methods(["GET", "POST"])
@gone_is_404
def opportunity_convert(request: UserRequest, pk: UUID) -> HttpResponse:
    """In the studio in use, by whoever may edit contacts, projects and sessions there."""
    opportunity = get_object_or_404(Opportunity.objects.visible_to(request.user), pk=pk)
    if opportunity.project_id or opportunity.stage != Stage.WON:
        return redirect("tracker:opportunity_detail", pk=pk)
    organization = here(request, "contacts.edit").organization
    for operation in NEEDED:
        require(request.user, organization, operation)
    known = contacts.known(organization, opportunity.contact_email)
    proposal = conversion.proposal(opportunity) | {"language": known.language if known else request.user.language}
    client = ClientForm(request.POST or None, initial=proposal)
    first = conversion.session_proposal(opportunity)
    session = FirstSessionForm(request.POST or None, prefix="session", organization=organization, user=request.user, initial=first)
    context: dict[str, Any] = {"opportunity": opportunity, "client": client, "session": session, "known": known}
    if request.method == "POST" and client.is_valid() & session.is_valid():
        fields = {"client": client.client(), "title": client.cleaned_data["project_title"], "session": session.to_book()}
        try:
            project = conversion.convert(opportunity, organization, actor=request.user, request=request, **fields)
        except conversion.NotWon:
            return redirect("tracker:opportunity_detail", pk=pk)
        except TimeTaken as error:
            context["taken"] = taken(error, organization.pk)
        else:
            messages.success(request, _("The opportunity is a project now."))
            return redirect("studio:project_detail", pk=project.pk)
    return render(request, "tracker/opportunity_convert.html", context, status=409 if "taken" in context else 200)
