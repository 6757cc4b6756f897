"""Two tabs: what one has deleted is not found by the other, which is no error of the server."""

import pytest
from django.urls import reverse

from tests.accounts.people import make_user
from tests.tracker.mailboxes import mail, make_run, store
from tracker.models import Opportunity, Signal

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["opportunity_edit", "task_done", "opportunity_delete", "opportunity_move", "signal_delete"])
def test_a_change_to_what_another_tab_has_deleted_is_a_404(client, monkeypatch, name):
    owner = make_user()
    client.force_login(owner)
    store(make_run(owner), mail())
    opportunity, signal = Opportunity.objects.get(), Signal.objects.select_related("opportunity").get()
    monkeypatch.setattr("tracker.views.opportunities._own", lambda request, pk: opportunity)
    monkeypatch.setattr("tracker.views.board.get_object_or_404", lambda *args, **kwargs: opportunity)
    if name == "signal_delete":
        monkeypatch.setattr("tracker.views.opportunities.get_object_or_404", lambda *args, **kwargs: signal)
    Opportunity.objects.filter(pk=opportunity.pk).delete()
    target = signal if name == "signal_delete" else opportunity
    data = {"to": "won", "kind": "enquiry", "company": "X", "ball": "us"}
    assert client.post(reverse(f"tracker:{name}", args=[target.pk]), data).status_code == 404
