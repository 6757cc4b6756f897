"""The board's two charts in words and numbers; how they are drawn stands in `aaperture.lib.charts`."""

from datetime import date

from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from aaperture.lib.charts import Point, bar_chart, funnel
from tracker.stages import Stage


def funnel_chart(reached: list[tuple[str, int]]) -> SafeString:
    return funnel(
        "funnel",
        title=_("How far your opportunities come"),
        description=_("Each bar counts the opportunities that have come at least that far, wherever they are now."),
        columns=(_("Stage"), _("Opportunities")),
        points=[Point(str(Stage(stage).label), str(Stage(stage).label), count) for stage, count in reached],
    )


def stages_chart(counts: list[tuple[str, int]]) -> SafeString:
    return funnel(
        "stages",
        title=_("Opportunities by stage"),
        description=_("How many of your opportunities stand in each stage now."),
        columns=(_("Stage"), _("Opportunities")),
        points=[Point(str(Stage(stage).label), str(Stage(stage).label), count) for stage, count in counts],
    )


def answers_chart(weeks: list[tuple[date, int]]) -> SafeString:
    return bar_chart(
        "answers",
        title=_("Answers per week"),
        description=_("Relevant mails received in each of the last twelve weeks."),
        columns=(_("Week of"), _("Mails")),
        points=[Point(date_format(monday, "j N"), date_format(monday, "DATE_FORMAT"), count) for monday, count in weeks],
    )
