"""What a person may object to. Whoever computes or sends asks `user.objections` first."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Objection(TextChoices):
    STATISTICS = "statistics", _("Leave me out of statistics")
    SECOND_OPINION = "second_opinion", _("No second opinion by Gemini on my mail")
    PRODUCT_MAIL = "product_mail", _("No news about the product by mail")


MEANING = {
    Objection.STATISTICS: _("Your opportunities and mails are not counted in what the people who run this site see."),
    Objection.SECOND_OPINION: _("Only the rules on this server judge your mail, even where they are undecided and this site asks Gemini."),
    Objection.PRODUCT_MAIL: _("You get mail about your account and its security only."),
}
