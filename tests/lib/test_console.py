"""The console's own rules."""

from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.utils import translation

from aaperture.lib.console import ConsoleModelAdmin

SAME_IN_FRENCH = {
    "action", "client", "coach", "code", "contacts", "destination", "id", "pipeline", "pipelines", "port", "studio", "type", "versions", "",
}  # fmt: skip


def test_no_list_of_another_package_is_in_the_console():
    registered = admin.site._registry.values()
    assert len(registered) > 10 and all(isinstance(one, ConsoleModelAdmin) for one in registered)


def test_headings_of_lists_speak_french_also_where_a_model_has_no_words_for_its_field():
    english = set()
    for model, options in admin.site._registry.items():
        for name in options.list_display:
            with translation.override("fr"):
                in_french = str(label_for_field(name, model, options))
            with translation.override("en"):
                if in_french == str(label_for_field(name, model, options)):
                    english.add(in_french.strip())
    assert english <= SAME_IN_FRENCH, "aaperture.lib.console_words"
