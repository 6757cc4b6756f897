"""Whose opportunity it is and for which role, as the mail writes them."""

# ruff: noqa: E501 - mails read better in one piece

import pytest

from aaperture.lib.mime import Mail
from tracker.classify.evidence import read
from tracker.classify.extract import company_and_role


def found(sender: str, subject: str, text: str, label: str = "application_confirmation") -> tuple[str, str]:
    return company_and_role(read(Mail(sender, ("Camille Morel <camille@example.test>",), subject, text, {})), label)


@pytest.mark.parametrize(
    ("sender", "subject", "text", "company"),
    [
        ("Northloop Careers <no-reply@greenhouse-mail.example>", "Thank you for applying to Northloop", "We have your application.", "Northloop"),
        ("Équipe recrutement de Lumière <rh@lumiere.example>", "Votre candidature", "Merci.", "Lumière"),
        ("LinkedIn <jobs-noreply@linkedin.com>", "Your application was sent to Brightside Media", "Good luck!", "Brightside Media"),
        ("CodeTrial on behalf of Ferris Payments <a@codetrial.example>", "Your test", "Start test.", "Ferris Payments"),
        ("Priya Nair <priya.nair@oakfield-digital.example>", "Re: Designer", "Hi.\n\nBest,\nPriya Nair | People Partner | Oakfield Digital", "Oakfield Digital"),
        ("Paul Girard <paul.girard@gmail.com>", "Portrait", "Bonjour, quels sont vos tarifs ?", ""),
    ],
)  # fmt: skip
def test_the_company_is_named_and_a_platform_never_is(sender, subject, text, company):
    assert found(sender, subject, text)[0] == company


@pytest.mark.parametrize(
    ("subject", "text", "role"),
    [
        ("Your application", "Thank you for applying for the position of Junior Web Developer at Northloop.", "Junior Web Developer"),
        ("Candidature", "Nous avons reçu votre candidature au poste de graphiste (H/F).", "graphiste"),
        ("Interview – Trainee Developer – Thursday", "See you then.", "Trainee Developer"),
        ("An update on the Junior QA Engineer role", "Hello", "Junior QA Engineer"),
        ("Hello", "The weather is fine.", ""),
    ],
)
def test_the_role_is_named(subject, text, role):
    assert found("Ann <ann@northloop.example>", subject, text)[1] == role


def test_an_enquiry_has_no_role():
    assert found("Ann <ann@northloop.example>", "Position of photographer", "Wedding", "client_enquiry")[1] == ""
