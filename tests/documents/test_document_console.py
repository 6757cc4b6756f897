"""What staff see of a studio's documents: how many in which state, never which and never how much."""

import pytest
from django.contrib.admin import site
from django.urls import reverse

from accounts.roles import ROLE_PERMISSIONS, STAFF
from documents.models import Contract, Invoice, Payment, Quote
from tests.accounts.people import make_user
from tests.documents.papers import accepted_quote, make_invoice, make_job, make_quote

pytestmark = pytest.mark.django_db


def test_those_who_monitor_see_counts_and_states_and_nothing_else(client):
    owner = make_user(name="Olive Owner")
    project = make_job(owner)
    accepted_quote(project, owner)
    make_quote(project, owner)
    make_invoice(project, owner)
    studio = project.organization_id
    listed, one = reverse("admin:documents_documentcount_changelist"), reverse("admin:documents_documentcount_change", args=[studio])
    for role in sorted(STAFF):
        client.force_login(make_user(role=role))
        page = client.get(listed)
        assert page.status_code == (200 if "pages.monitoring" in ROLE_PERMISSIONS[role] else 403), role
        if page.status_code == 200:
            row = next(row for row in page.context["cl"].result_list if row.pk == studio)
            assert (row._quotes_draft, row._quotes_accepted, row._invoices_issued, row._payments) == (1, 1, 1, 0)
            seen = page.text + client.get(one).text
            assert not [word for word in ("Olive", "Faure", "Mariage", "2647", "2,647", "F-2", "D-2", "Lumière") if word in seen]
    client.force_login(make_user(role="admin"))
    assert client.post(one, {"name": "x"}).status_code == 403
    assert not {Quote, Contract, Invoice, Payment} & set(site._registry)
