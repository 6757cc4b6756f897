from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from billing.amounts import cents_of, shown
from billing.models import ContributionTerms
from billing.models.contributions import Rhythm
from billing.services.checkouts import check_amount


class AmountField(forms.CharField):
    """An amount as people write it; cleaned to cents, or None when it was left empty."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(max_length=20, widget=widget, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        cents = cents_of(text)
        if cents is None:
            raise ValidationError(_("Write an amount such as 12 or 12.50."), code="amount")
        return cents


class ContributeForm(forms.Form):
    """A suggested amount or another one, which wins; `cleaned_data["cents"]` is what was chosen."""

    rhythm = forms.ChoiceField(choices=Rhythm, initial=Rhythm.ONCE)
    amount = AmountField(required=False)
    other = AmountField(required=False, label=_("Another amount"))

    def __init__(self, *args: Any, terms: ContributionTerms, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.terms = terms

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        cents = cleaned.get("other") if cleaned.get("other") is not None else cleaned.get("amount")
        if cents is None:
            raise ValidationError({"other": _("Choose an amount.")})
        try:
            check_amount(cents, self.terms)
        except ValidationError as error:
            raise ValidationError({"other": error}) from None
        cleaned["cents"] = cents
        return cleaned

    def suggestions(self, rhythm: str) -> list[dict[str, Any]]:
        """What is offered, with one that stands out and is chosen beforehand."""
        once = rhythm == Rhythm.ONCE
        amounts = self.terms.once_amounts if once else self.terms.monthly_amounts
        best = self.terms.once_highlighted if once else self.terms.monthly_highlighted
        chosen = cents_of(str(self.data.get("amount", ""))) if self.is_bound else best
        return [
            {"value": f"{cents / 100:.2f}", "words": shown(cents, self.terms.currency), "best": cents == best, "chosen": cents == chosen}
            for cents in amounts
        ]


class MonthlyAmountForm(forms.Form):
    amount = AmountField(label=_("Amount each month"))


class PromoForm(forms.Form):
    code = forms.CharField(label=_("Promo code"), max_length=40, widget=forms.TextInput(attrs={"autocomplete": "off"}))
