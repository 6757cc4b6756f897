"""The page that says what a run would do."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from accounts.models import User
from integrations import trial
from integrations.admin.step_editor import tried_together
from integrations.errors import IntegrationError
from integrations.models import Pipeline
from integrations.services import dry_runs
from integrations.services.dry_runs import DryRun
from integrations.step_kinds import BY_NAME
from integrations.steps import MAIL, kind_of, printable
from integrations.wording import CONNECTION_FAULTS, DESTINATIONS, LABELS, STOP_REASONS_FOR_STAFF


def dry_page(pipeline: Pipeline, user: User, request: HttpRequest) -> dict[str, Any]:
    """What its template needs; on POST with what was found, or why nothing was."""
    takes = getattr(import_string(settings.PIPELINE_DESTINATIONS[pipeline.destination]), "fields", {})
    context: dict[str, Any] = {
        "pipeline": pipeline, "transformation": pipeline.pinned or pipeline.transformation, "takes": sorted(takes.items()),
        "destination": DESTINATIONS.get(pipeline.destination, pipeline.destination),
    }  # fmt: skip
    if request.method != "POST":
        return context
    try:
        found = dry_runs.dry_run(pipeline, actor=user, request=request)
    except IntegrationError as error:
        words = CONNECTION_FAULTS.get(error.code, STOP_REASONS_FOR_STAFF.get(error.code, _("It did not answer.")))
        return context | {"fault": words}
    return context | {
        "found": found, "dropped": _dropped(pipeline, found), "dropped_count": sum(found.dropped.values()),
        "left_alone": found.unreadable + found.not_storable, "tried": _tried(pipeline, found),
    }  # fmt: skip


def _dropped(pipeline: Pipeline, found: DryRun) -> list[tuple[str, int]]:
    return [(_reason(pipeline, name), n) for name, n in found.dropped.most_common()]


def _reason(pipeline: Pipeline, name: str) -> str:
    """A label of mail, or the step that decided."""
    number = name.removeprefix("step ")
    if not number.isdecimal():
        return str(LABELS.get(name, name))
    step = pipeline.steps[int(number) - 1]
    title = BY_NAME[kind_of(pipeline.steps), step["do"]].title
    return _("Step %(n)s, %(title)s: “%(when)s” finds nothing") % {"n": number, "title": title, "when": step.get("when", "")}


def _tried(pipeline: Pipeline, found: DryRun) -> list[Any]:
    steps, chain = pipeline.steps, kind_of(pipeline.steps)
    if chain == MAIL:
        trials = [trial.try_item(steps, item) for item in found.mails]
        return tried_together(chain, steps, trials, [_("Mail %(n)d") % {"n": n} for n in range(1, len(trials) + 1)])
    trials = [trial.try_record(steps, one.data, name=one.id) for one in found.records]
    return tried_together(chain, steps, trials, [_("Record %(name)s") % {"name": printable(one.id, 60)} for one in found.records])
