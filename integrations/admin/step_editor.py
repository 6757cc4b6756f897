"""The page on which a chain of steps is written and tried. Everything it needs to know travels in its form."""

import json
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.ending import operator
from integrations import steps as chain_rules
from integrations import trial
from integrations.errors import IntegrationError
from integrations.models import Connection, Transformation
from integrations.services import sampling
from integrations.step_forms import Draft
from integrations.step_kinds import BY_NAME
from integrations.steps import MAIL, kind_of
from integrations.wording import CONNECTION_FAULTS, LABELS, STOP_REASONS_FOR_STAFF

MOST_SAMPLES = 20
LONGEST_SAMPLE = 200_000
OUTCOMES = {
    trial.WENT_ON: (gettext_lazy("went on"), "ok"),
    trial.DROPPED: (gettext_lazy("dropped"), "warn"),
    trial.FAILED: (gettext_lazy("failed"), "danger"),
}


UNFIT = {
    "TooLarge": gettext_lazy("What would be kept of it is larger than 32 KB."),
    "NotStorable": gettext_lazy("It holds something that cannot be stored: half a character, the character NUL, or a number without end."),
    "TooMuch": gettext_lazy("The expression makes more of it than is worked out."),
    "TooSlow": gettext_lazy("The expression takes longer over it than two seconds."),
}


class HeadForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    note = forms.CharField(
        label=gettext_lazy("What has changed"), max_length=200, required=False,
        help_text=gettext_lazy("A few words for whoever reads the history."),
    )  # fmt: skip


class MailSampleForm(forms.Form):
    sender = forms.CharField(label=gettext_lazy("From"), max_length=320)
    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=500)
    text = forms.CharField(
        label=gettext_lazy("Text"), max_length=10_000, required=False, widget=forms.Textarea(attrs={"rows": 5, "cols": 40})
    )  # fmt: skip


class RecordSampleForm(forms.Form):
    record = forms.CharField(
        label=gettext_lazy("Sample"),
        max_length=LONGEST_SAMPLE,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 10, "cols": 40, "class": "mono", "spellcheck": "false"}),
        help_text=gettext_lazy("A JSON object in braces, or a list of up to 20 of them in brackets."),
    )

    def clean_record(self) -> list[dict[str, Any]]:
        try:
            found = json.loads(self.cleaned_data["record"])
        except (ValueError, RecursionError):
            raise ValidationError(_("This is no JSON.")) from None
        found = found if isinstance(found, list) else [found]
        if not found or any(not isinstance(one, dict) for one in found):
            raise ValidationError(_("Write a JSON object in braces, or a list of them."))
        if len(found) > MOST_SAMPLES:
            raise ValidationError(_("That is too much to try at once."))
        return found


class Row(NamedTuple):
    """What one step did, in words."""

    title: str
    outcome: tuple[Any, str]
    why: str
    output: str


class Tried(NamedTuple):
    """What became of one sample."""

    title: str
    kept: bool
    why: str
    rows: list[Row]


def shown(value: Any) -> str:
    """As JSON that a page can hold: half a character stays written as a number."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=str)
    except RecursionError:  # on lines of its own, depth takes many times as much
        text = json.dumps(value, ensure_ascii=False, default=str)
    return trial.HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def _why(step: dict[str, Any], told: trial.Told) -> str:
    """Why a step did what it did."""
    if told.outcome == trial.FAILED:
        fault = str(told.output.get("error", ""))
        return str(UNFIT[fault]) if fault in UNFIT else _("It could not be worked out: %(fault)s") % {"fault": fault}
    if told.do == "classify":
        label = str(LABELS.get(told.output["label"], told.output["label"]))
        return _("Recognised as “%(label)s”.") % {"label": label}
    if told.do == "filter" and "when" not in step:
        label = str(LABELS.get(told.output["label"], told.output["label"]))
        words = _("“%(label)s” is left out.") if told.outcome == trial.DROPPED else _("“%(label)s” goes on.")
        return words % {"label": label}
    if told.do == "filter":
        found = json.dumps(told.output.get("found"), ensure_ascii=False, default=str)[:80]
        words = (
            _("“%(when)s” finds nothing here: %(found)s.") if told.outcome == trial.DROPPED else _("“%(when)s” finds %(found)s.")
        )  # fmt: skip
        return words % {"when": step["when"], "found": found}
    if told.do == "dedupe":
        return _("It counts as “%(name)s”.") % {"name": told.output.get("same_as", "")}
    return ""


def told_in_words(chain: str, steps: list[dict[str, Any]], one: trial.Trial, title: str, later: str = "") -> Tried:
    rows = []
    for number, (step, told) in enumerate(zip(steps, one.steps, strict=False), 1):
        output = shown(told.output) if told.do in ("map", "redact", "normalise") and told.outcome == trial.WENT_ON else ""
        heading = f"{number}. {BY_NAME[chain, told.do].title}"
        rows.append(Row(heading, OUTCOMES[told.outcome], _why(step, told), output))
    if later:
        return Tried(title, False, _("%(later)s is the same and comes later: that one is kept.") % {"later": later}, rows)
    stopped_by = f"{rows[-1].title}: {rows[-1].why}" if rows and not one.kept else ""
    return Tried(title, one.kept, stopped_by, rows)


def tried_together(chain: str, steps: list[dict[str, Any]], trials: list[trial.Trial], titles: list[str]) -> list[Tried]:
    later = trial.overtaken(trials)
    return [
        told_in_words(chain, steps, one, titles[n], titles[later[n]] if n in later else "") for n, one in enumerate(trials)
    ]  # fmt: skip


class Editor:
    """One showing of the page, and what was pressed on it."""

    def __init__(self, request: HttpRequest, row: Transformation | None, chain: str) -> None:
        self.request, self.row, self.chain = request, row, chain
        self.user = operator(request)
        self.tried: list[Tried] = []
        self.fault = ""
        sent = request.POST if request.method == "POST" else None
        self.head = HeadForm(initial={"name": row.name if row else ""}) if sent is None else HeadForm(initial=_texts(HeadForm, sent))
        kind = MailSampleForm if chain == MAIL else RecordSampleForm
        self.sample: forms.Form = kind(initial=_texts(kind, sent) if sent is not None else {})
        self.draft = Draft.of(chain, row.steps if row else None) if sent is None else Draft.sent(chain, sent)
        self.based_on = _number(sent.get("based_on")) if sent is not None else row.version if row else None

    def press(self, act: str) -> Transformation | None:
        """Do what a button says; what is to be saved is answered, and saved by whoever asked."""
        if act == "save":
            return self._to_be_saved()
        if act == "try":
            self._try()
        elif act == "fetch":
            self._fetch()
        elif act == "load":
            self._load()
        else:
            chosen = str(self.request.POST.get("add", ""))
            self.draft = self.draft.changed(f"add:{chosen}" if act == "add" else act)
        return None

    def _to_be_saved(self) -> Transformation | None:
        self.head = HeadForm(self.request.POST)
        steps, fine = self.draft.steps(), self.head.is_valid()
        if steps is None or not fine:
            return None
        row = self.row or Transformation()
        row.name, row.steps = self.head.cleaned_data["name"], steps
        return row

    def _try(self) -> None:
        self.sample = type(self.sample)(self.request.POST)
        steps = self.draft.steps()
        if steps is None or not self.sample.is_valid():
            return
        given = self.sample.cleaned_data
        if self.chain == MAIL:
            self.tried = tried_together(MAIL, steps, [trial.try_mail(steps, **given)], [_("The sample")])
            return
        trials = [trial.try_record(steps, one, name=f"{trial.SAMPLE} {n}") for n, one in enumerate(given["record"], 1)]
        self.tried = tried_together(self.chain, steps, trials, [_("Record %(n)d") % {"n": n} for n in range(1, len(trials) + 1)])

    def _fetch(self) -> None:
        """A few things from a connection: records into the sample, to be read and changed; of mail only what came of it."""
        chosen = str(self.request.POST.get("connection", ""))
        connection = next((one for one in self.connections if str(one.pk) == chosen), None)
        if connection is None:
            self.fault = _("Choose a connection.")
            return
        try:
            if self.chain == MAIL:
                self._fetch_mail(connection)
            else:
                self._fetch_records(connection)
        except IntegrationError as error:
            self.fault = str(CONNECTION_FAULTS.get(error.code, STOP_REASONS_FOR_STAFF.get(error.code, _("It did not answer."))))

    def _fetch_records(self, connection: Connection) -> None:
        found = [one.data for one in sampling.records(connection, actor=self.user)]
        while len(found) > 1 and len(shown(found)) > LONGEST_SAMPLE:
            found.pop()
        if not found:
            self.fault = _("It answered, and there is nothing to read at the moment.")
            return
        self.sample = RecordSampleForm({"record": shown(found)})
        if (steps := self.draft.steps()) is not None and self.sample.is_valid():
            trials = [trial.try_record(steps, one, name=f"{trial.SAMPLE} {n}") for n, one in enumerate(found, 1)]
            self.tried = tried_together(self.chain, steps, trials, [_("Record %(n)d") % {"n": n} for n in range(1, len(trials) + 1)])

    def _fetch_mail(self, connection: Connection) -> None:
        steps = self.draft.steps()
        if steps is None:
            return
        items = sampling.mails(connection, actor=self.user)
        if not items:
            self.fault = _("It answered, and there is nothing to read at the moment.")
        trials = [trial.try_item(steps, item) for item in items]
        self.tried = tried_together(MAIL, steps, trials, [_("Mail %(n)d") % {"n": n} for n in range(1, len(trials) + 1)])

    def _load(self) -> None:
        """Steps written as JSON, into the forms."""
        try:
            steps = json.loads(str(self.request.POST.get("json", ""))[:LONGEST_SAMPLE])
            chain_rules.validate(steps)
            if kind_of(steps) != self.chain:
                raise ValueError(_("These steps are for something else: mail and records are not transformed alike."))
            self.draft = Draft.of(self.chain, steps)
        except ValidationError as error:
            self.draft.errors += error.messages
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            words = _("This is no JSON.") if isinstance(error, json.JSONDecodeError) else str(error)
            self.draft.errors.append(words)

    @property
    def connections(self) -> list[Connection]:
        return sampling.connections_for(self.user, mail=self.chain == MAIL)

    @property
    def as_json(self) -> str:
        if self.request.method == "POST" and self.request.POST.get("act") == "load" and self.draft.errors:
            return str(self.request.POST.get("json", ""))[:LONGEST_SAMPLE]
        steps = [{"do": form.kind.do, **_as_data(form.told())} for form in self.draft.forms]
        return shown(steps)


def _as_data(told: dict[str, Any]) -> dict[str, Any]:
    return {name: dict(value) if name == "fields" else value for name, value in told.items() if value}


def _texts(kind: type[forms.Form], sent: Any) -> dict[str, str]:
    return {name: str(sent.get(name, "")) for name in kind.base_fields}


def _number(text: Any) -> int | None:
    return int(text) if str(text).isdecimal() and str(text).isascii() else None
