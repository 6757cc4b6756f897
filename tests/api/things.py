"""Somebody's connection, pipeline, run and opportunity, and the instance's."""

from dataclasses import dataclass

from accounts.models import User
from integrations.models import Connection, Pipeline, Run, RunEvent, Transformation
from tracker.models import Opportunity

STEPS = [{"do": "classify"}, {"do": "redact"}]


@dataclass
class Things:
    connection: Connection
    pipeline: Pipeline
    run: Run
    opportunity: Opportunity | None


def someones_things(owner: User | None) -> Things:
    """Of `owner`, or of the instance."""
    transformation = Transformation.objects.filter(steps=STEPS).first() or Transformation.objects.create(name="Test steps", steps=STEPS)
    subject = str(owner.pk) if owner else "instance"
    email = owner.email if owner else "desk@instance.test"
    connection = Connection.objects.create(
        owner=owner, provider="gmail", provider_subject=subject, account_email=email, status="active", granted_scopes=[]
    )
    kept_as = "opportunities" if owner else "dataset"  # those belong to a person
    pipeline = Pipeline.objects.create(name="Reading", connection=connection, transformation=transformation, destination=kept_as)
    counts = {"read": 3, "kept": 2, "to_read": 3, "not_kept": {"not_relevant": 1}}
    run = Run.objects.create(pipeline=pipeline, status="succeeded", counts=counts)
    RunEvent.objects.create(run=run, code="quarantined", level="warning")
    opportunity = Opportunity.objects.create(owner=owner, company="Maison Perrin", role="Portraits") if owner else None
    return Things(connection, pipeline, run, opportunity)
