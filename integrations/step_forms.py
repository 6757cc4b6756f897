"""A chain of steps as forms: one for each step, drawn from `integrations.step_kinds`, and the draft they are parts of.

A draft lives in the page only. Adding, moving and taking away are buttons that send the page as it is and get it back changed, so
that none of it needs a script.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations import record_steps
from integrations import steps as chain_rules
from integrations.expressions import Expression
from integrations.step_kinds import BY_NAME, EXPRESSION, FIELDS, KINDS, LABELS, WAY_WORDS, WAYS, StepKind, to_begin_with
from integrations.steps import MAIL
from integrations.wording import LABELS as LABEL_WORDS

MOST_STEPS = 20
SPARE_ROWS = 2
MAIL_LABELS = [(label, words) for label, words in LABEL_WORDS.items() if label != record_steps.FILTERED]
UNKNOWN_STEP = gettext_lazy("There is no such step.")


def fault_of(expression: str) -> str:
    """What is wrong with a JMESPath expression, or ""."""
    if len(expression) > record_steps.LONGEST_EXPRESSION:
        return _("It has more than %(n)d characters.") % {"n": record_steps.LONGEST_EXPRESSION}
    try:
        Expression(expression)
    except ValueError:
        return _("This is no JMESPath expression: %(text)s") % {"text": expression[:80]}
    return ""


class ExpressionField(forms.CharField):
    def validate(self, value: Any) -> None:
        super().validate(value)
        if fault := fault_of(value):
            raise ValidationError(fault)


class PairsWidget(forms.Widget):
    """Rows of two inputs, and some empty ones to write on."""

    template_name = "integrations/pairs.html"
    ways: Mapping[str, Any] = {}  # what may stand on the right; empty: an expression

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        rows = list(value or [])
        context["widget"]["ways"] = self.ways.items()
        context["widget"]["rows"] = rows + [("", "")] * max(SPARE_ROWS, 3 - len(rows))
        return context

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[tuple[str, str]]:
        many = getattr(data, "getlist", lambda key: data.get(key, []))
        pairs = zip(many(f"{name}-name"), many(f"{name}-at"), strict=False)
        return [(left.strip(), right.strip()) for left, right in pairs if left.strip() or (right.strip() and not self.ways)]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}-name" not in data

    def id_for_label(self, id_: str, index: str = "0") -> str:
        return f"{id_}-0"


class WaysWidget(PairsWidget):
    """Rows of a name and a choice."""

    ways = WAY_WORDS


class PairsField(forms.Field):
    """Names, and where each is found."""

    widget = PairsWidget

    def clean(self, value: list[tuple[str, str]]) -> dict[str, str]:
        faults = [] if value else [_("Name at least one field: nothing else is kept.")]
        if len(value) > record_steps.MOST_FIELDS:
            faults.append(_("These are more than %(n)d fields.") % {"n": record_steps.MOST_FIELDS})
        found: dict[str, str] = {}
        for number, (name, place) in enumerate(value, 1):
            faults += [_("Row %(n)d: %(fault)s") % {"n": number, "fault": one} for one in self._row(name, place, found)]
            found[name] = place
        if faults:
            raise ValidationError(faults)
        return found

    def _row(self, name: str, place: str, before: Mapping[str, str]) -> list[str]:
        if not name or not place:
            return [_("Give the field a name, and say where it is found.")]
        if len(name) > record_steps.LONGEST_NAME or not name.isprintable():
            return [_("The name has more than %(n)d characters, or some that cannot be shown.") % {"n": record_steps.LONGEST_NAME}]
        if name in before:
            return [_("“%(name)s” stands here twice.") % {"name": name}]
        return [fault] if (fault := self.fault_of(place)) else []

    def fault_of(self, place: str) -> str:
        return fault_of(place)


class WaysField(PairsField):
    """Names, and how each is written."""

    widget = WaysWidget

    def fault_of(self, place: str) -> str:
        return "" if place in WAY_WORDS else _("Choose one of those offered.")


class StepForm(forms.Form):
    """What one step is told."""

    def __init__(self, kind: StepKind, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        for option in kind.options:
            words: dict[str, Any] = {"label": option.label, "help_text": option.help}
            if option.shape == LABELS:
                boxes = forms.CheckboxSelectMultiple()
                self.fields[option.name] = forms.MultipleChoiceField(choices=MAIL_LABELS, widget=boxes, required=False, **words)
            elif option.shape in (FIELDS, WAYS):
                field = PairsField if option.shape == FIELDS else WaysField
                self.fields[option.name] = field(required=False, **words)
            else:
                box = forms.TextInput(attrs={"class": "mono console-wide", "spellcheck": "false", "autocomplete": "off"})
                self.fields[option.name] = ExpressionField(max_length=record_steps.LONGEST_EXPRESSION, widget=box, **words)

    def step(self) -> dict[str, Any]:
        """What the step is, once the form is valid."""
        return {"do": self.kind.do, **{name: self.cleaned_data[name] for name in self.fields}}

    def told(self) -> dict[str, Any]:
        """What somebody has written, right or wrong."""
        if not self.is_bound:
            return dict(self.initial)
        return {
            name: one.widget.value_from_datadict(self.data, self.files, self.add_prefix(name)) for name, one in self.fields.items()
        }  # fmt: skip


def _initial(kind: StepKind, step: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for option in kind.options:
        value = step.get(option.name)
        if option.shape in (FIELDS, WAYS):
            value = list(value.items()) if isinstance(value, dict) else value
        elif option.shape == EXPRESSION and not isinstance(value, str):
            value = "" if value is None else str(value)
        found[option.name] = value
    return found


@dataclass
class Draft:
    """A chain as somebody is writing it. `touched` is the step to look at next, counted from 0."""

    chain: str
    forms: list[StepForm] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    touched: int | None = None

    @classmethod
    def of(cls, chain: str, steps: list[Mapping[str, Any]] | None = None) -> Self:
        """The forms of these steps, or those to begin with. Raises ValidationError for a step that there is not."""
        found = [(step.get("do"), step) for step in (to_begin_with(chain) if steps is None else steps)]
        if any((chain, do) not in BY_NAME for do, _step in found):
            raise ValidationError(UNKNOWN_STEP)
        return cls._made(chain, [(BY_NAME[chain, str(do)], _initial(BY_NAME[chain, str(do)], step)) for do, step in found])

    @classmethod
    def _made(cls, chain: str, told: list[tuple[StepKind, dict[str, Any]]], touched: int | None = None) -> Self:
        made = [StepForm(kind, prefix=f"s{n}", initial=values) for n, (kind, values) in enumerate(told)]
        return cls(chain, made, touched=touched)

    @classmethod
    def sent(cls, chain: str, data: Any) -> Self:
        """What a page sent. Raises ValidationError for what no page of ours sends."""
        count = str(data.get("steps", ""))
        if not count.isdecimal() or not count.isascii() or int(count) > MOST_STEPS:
            raise ValidationError(_("A chain has up to %(n)d steps.") % {"n": MOST_STEPS})
        names = [(chain, str(data.get(f"s{n}-do", ""))) for n in range(int(count))]
        if any(name not in BY_NAME for name in names):
            raise ValidationError(UNKNOWN_STEP)
        return cls(chain, [StepForm(BY_NAME[name], data, prefix=f"s{n}") for n, name in enumerate(names)])

    def changed(self, act: str) -> Self:
        """Another draft: `up:2`, `down:2` and `remove:2` by the step's place, `add:filter`, or `rows:2` for more rows to write on."""
        verb, _colon, what = act.partition(":")
        told = [(form.kind, form.told()) for form in self.forms]
        at = int(what) if what.isdecimal() and what.isascii() and int(what) < len(told) else None
        if verb == "add" and (kind := BY_NAME.get((self.chain, what))) and not kind.fixed and len(told) < MOST_STEPS:
            at = len(told) if what == "normalise" else max(len(told) - 1, 0)  # the last one ends the chain, but for that
            told.insert(at, (kind, {}))
        elif verb == "remove" and at is not None and self.may_go(at):
            told.pop(at)
            at = min(at, len(told) - 1)
        elif verb in ("up", "down") and at is not None:
            other = at + (1 if verb == "down" else -1)
            if self.may_swap(at, other):
                told[at], told[other] = told[other], told[at]
                at = other
        return self._made(self.chain, told, at)

    @property
    def places(self) -> list[tuple[StepForm, bool, bool, bool]]:
        """Each step, and whether it may go up, go down, go away."""
        return [
            (form, self.may_swap(at, at - 1), self.may_swap(at, at + 1), self.may_go(at)) for at, form in enumerate(self.forms)
        ]  # fmt: skip

    def may_go(self, at: int) -> bool:
        return not self.forms[at].kind.fixed and not (self.forms[at].kind.do == "map" and self._maps() == 1)

    def may_swap(self, at: int, other: int) -> bool:
        """Whether both are there and neither stands at its end of the chain by rule."""
        return 0 <= other < len(self.forms) and not any(self.forms[n].kind.fixed for n in (at, other))

    def _maps(self) -> int:
        return sum(form.kind.do == "map" for form in self.forms)

    @property
    def offered(self) -> list[StepKind]:
        """What can be added."""
        return [kind for kind in KINDS if kind.chain == self.chain and not kind.fixed] if len(self.forms) < MOST_STEPS else []

    def steps(self) -> list[dict[str, Any]] | None:
        """The chain, or None where something is wrong, which the forms and `errors` then say."""
        wrong = [form for form in self.forms if not form.is_valid()]  # all of them: each shows what is wrong with it
        if wrong:
            self.errors.append(_("Some of the steps are not right yet."))
            return None
        found = [form.step() for form in self.forms]
        if self.chain == MAIL:
            found = [{name: value for name, value in step.items() if value or name == "do"} for step in found]
        try:
            chain_rules.validate(found)
        except ValueError as error:
            self.errors.append(str(error))
            return None
        return found

    def faults(self) -> list[tuple[str, int, str, str]]:
        """For the list above the form: the field's id, the step's number and title, what is wrong."""
        return [
            (form[name].id_for_label, number, str(form.kind.title), str(fault))
            for number, form in enumerate(self.forms, 1)
            if form.is_bound
            for name, faults in form.errors.items()
            for fault in faults
        ]
