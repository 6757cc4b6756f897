"""The console's own rules."""

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets, label_for_field
from django.utils import translation

from aaperture.lib.console import ConsoleModelAdmin

SAME_IN_FRENCH = {
    "action", "client", "coach", "code", "contacts", "destination", "id", "pipeline", "pipelines", "port", "studio", "transformation",
    "type", "version", "versions", "",
}  # fmt: skip


def test_no_list_of_another_package_is_in_the_console():
    registered = admin.site._registry.values()
    assert len(registered) > 10 and all(isinstance(one, ConsoleModelAdmin) for one in registered)


def shown_by(options) -> set[str]:
    """What a list, its filters and the page of one row have a word for; a form's own fields bring theirs."""
    filters = {one for one in getattr(options, "list_filter", ()) if isinstance(one, str)}
    labels = flatten_fieldsets(options.fieldsets or [("", {"fields": options.fields or ()})])
    return {*getattr(options, "list_display", ()), *labels, *filters} - set(options.form.declared_fields)


def test_headings_and_labels_speak_french_also_where_a_model_has_no_words_for_its_field():
    english = set()
    everything = [(model, options) for model, options in admin.site._registry.items()]
    inlines = [(inline.model, inline(inline.model, admin.site)) for _model, options in everything for inline in options.inlines]
    for model, options in [*everything, *inlines]:
        for name in shown_by(options):
            with translation.override("fr"):
                in_french = str(label_for_field(name, model, options))
            with translation.override("en"):
                if in_french == str(label_for_field(name, model, options)):
                    english.add(in_french.strip())
    assert english <= SAME_IN_FRENCH, "aaperture.lib.console_words"
