"""A client and a studio that answer, withdraw or replace the same document in the same moment: one act, told once."""

import pytest

from audit.models import Activity
from documents.models import Acceptance, Contract, Quote
from documents.services import contracts, links, quotes
from studio.models import TimelineEntry
from tests import processes
from tests.accounts.people import make_user
from tests.documents.papers import make_job, make_quote

ANSWER = """
from django.db import IntegrityError
from accounts.models import User
from documents.models import ClientLink, Contract, Quote
from documents.services import acts, contracts, links, quotes
from documents.services.errors import NotPossible
from pathlib import Path
guarded, side = os.environ["GUARD"] == "on", os.environ["SIDE"]
def meet(where, patience):
    (Path(os.environ["WHERE"]) / f"{where}-{side}").touch()
    other, end = Path(os.environ["WHERE"]) / f"{where}-{'studio' if side == 'client' else 'client'}", time.monotonic() + patience
    while not other.exists() and time.monotonic() < end:
        time.sleep(0.001)
if not guarded:
    for model in (Quote, Contract):
        type(model.objects).select_for_update = lambda self, **_of: self.all()
    type(ClientLink.objects.all()).select_for_update = lambda self: self
def slow(module, name):
    real = getattr(module, name)
    def looked(*args, **kwargs):  # without a lock both look before one writes; with it one waits for the other
        row = real(*args, **kwargs) if name == "_locked" else None
        if document.subject != "withdraw" and (what, name) not in passed_on:
            meet(f"{document.pk}-looked", 0.05 if guarded else 10)
        if what == "accept" and document.subject == "void" and not guarded:
            meet(f"{document.pk}-done", 10)  # the last word would be the acceptance's
        found = row or real(*args, **kwargs)
        if name == "_require_usable" and what == "accept" and document.subject == "withdraw":
            meet(f"{document.pk}-looked", patience)  # the link is good: now the other may take it back, if nothing keeps it from that
            meet(f"{document.pk}-done", patience)
            overtaken.update(Path(os.environ["WHERE"]).glob(f"{document.pk}-done-studio"))
        return found
    setattr(module, name, looked)
patience, overtaken = 0.2 if guarded else 10, set()
passed_on = {("replace", "_locked"), ("accept", "_require_usable")}  # where these look is further on, or was before
slow(acts, "_require_usable")
slow(quotes, "_locked")
slow(quotes, "_supersede")
slow(contracts, "_locked")
anna = User.objects.get(name="Anna")
def accept(document):
    act = acts.Act("Claire Faure", link=ClientLink.objects.get(**{document._meta.model_name: document}))
    (quotes.accept_quote if isinstance(document, Quote) else contracts.accept_contract)(document, act)
def decline(document):
    acts.decline(document, reason="no")
def replace(quote):
    quotes.mark_sent(quote.revisions.get(), actor=anna)
def void(contract):
    contracts.void_contract(contract, actor=anna)
def withdraw(document):
    meet(f"{document.pk}-looked", patience)
    links.revoke_links(document, actor=anna)
done = []
for document in [*Quote.objects.exclude(status="draft").order_by("pk"), *Contract.objects.order_by("pk")]:
    what = "accept" if side == "client" else document.subject
    meet(document.pk, 10)
    try:
        globals()[what](document)
        done.append("late" if overtaken else "yes")
        overtaken.clear()
    except NotPossible as fault:
        done.append("no")
    except IntegrityError:
        done.append("broken")
    meet(f"{document.pk}-done", 0)
print(*done)
"""
TIMES = 2
OF_QUOTES, OF_CONTRACTS = ("accept", "decline", "replace", "withdraw"), ("accept", "decline", "void", "withdraw")


def sent_documents(anna):
    """Each named by what the other side does with it."""
    project = make_job(anna)
    fields = {"project": project, "contact": project.contact, "text": "x"}
    for subject in OF_QUOTES * TIMES:
        quote = quotes.mark_sent(make_quote(project, anna, subject=subject), actor=anna)
        links.make_link(quote, actor=anna)
        if subject == "replace":
            quotes.make_ready(quotes.revise_quote(quote, actor=anna), actor=anna)
    for subject in OF_CONTRACTS * TIMES:
        contract = contracts.create_contract(project.organization, fields={**fields, "subject": subject}, actor=anna)
        links.make_link(contracts.mark_sent(contract, actor=anna), actor=anna)


def wrong(document, client, other):
    """What is not as it should be after both have had their way with it."""
    kind = document._meta.model_name
    taken = Acceptance.objects.filter(**{kind: document}).count()
    answers = [f"{kind}.{word}" for word in ("accepted", "declined")]
    told = list(TimelineEntry.objects.filter(target_id=document.pk, kind__in=answers).values_list("kind", flat=True))
    recorded = list(Activity.objects.filter(target_id=str(document.pk), action__in=answers).values_list("action", flat=True))
    expected = {
        "accept": (("yes", "no"), ("no", "yes")),
        "decline": (("yes", "no"), ("no", "yes")),
        "replace": (("yes", "no"), ("no", "yes")),
        "void": (("yes", "yes"), ("no", "yes")),
        "withdraw": (("yes", "yes"), ("no", "yes")),
    }[document.subject]
    accepted = client == "yes" or (document.subject == "accept" and other == "yes")
    status = "accepted" if accepted else {"decline": "declined", "replace": "superseded", "withdraw": "sent"}.get(document.subject)
    status = "voided" if document.subject == "void" else status
    declined = document.subject == "decline" and other == "yes"
    one = [f"{kind}.accepted"] if accepted else [f"{kind}.declined"] if declined else []
    seen = ((client, other) in expected, document.status, taken, told, recorded)
    return [] if seen == (True, status, int(accepted), one, one) else [(kind, document.subject, client, other, *seen[1:])]


def answered_at_once(guard, where):
    sent_documents(make_user(name="Anna"))
    started = processes.start(ANSWER, each=[{"SIDE": "client"}, {"SIDE": "studio"}], GUARD=guard, WHERE=str(where))
    client, other = (printed.split() for printed in processes.outputs(started))
    documents = [*Quote.objects.exclude(revisions=None, subject="replace").order_by("pk"), *Contract.objects.order_by("pk")]
    assert len(documents) == len(client) == len(other) == TIMES * 8
    return [fault for place, document in enumerate(documents) for fault in wrong(document, client[place], other[place])]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_two_answers_in_one_moment_one_counts_and_is_told_once(tmp_path):
    assert answered_at_once("on", tmp_path) == []


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_without_the_locks_both_would_count(tmp_path):
    assert {(kind, subject) for kind, subject, *_rest in answered_at_once("off", tmp_path)} == {
        *(("quote", what) for what in OF_QUOTES),
        *(("contract", what) for what in OF_CONTRACTS),
    }
