"""The console's own rules."""

from django.contrib import admin

from aaperture.lib.console import ConsoleModelAdmin


def test_no_list_of_another_package_is_in_the_console():
    registered = admin.site._registry.values()
    assert len(registered) > 10 and all(isinstance(one, ConsoleModelAdmin) for one in registered)
