"""Whose opportunity it is and for which role, as the mail writes them."""

# ruff: noqa: E501 - mails read better in one piece

import csv
from collections import Counter
from pathlib import Path

import pytest

from aaperture.lib.mime import Mail, mail_from_bytes
from tests.stopwatch import cpu_seconds
from tracker.classify.choose import weights
from tracker.classify.evidence import read
from tracker.classify.extract import WITHOUT_ROLE, company_and_role
from tracker.classify.spans import key_of

CORPUS = Path(__file__).parents[2] / "corpus"
UNSEEN = ("tune_6", "tune_7")  # never fitted: scripts/fit_extraction.py
FITTED = ("tune_8", "tune_9", "tune_10", "tune_11")
# Least found exactly, least of the answers that are exact: of companies, of roles.
FLOORS = {UNSEEN: ((0.84, 0.92), (0.6, 0.78)), FITTED: ((0.93, 0.96), (0.83, 0.94))}


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
        ("Marlow & Finch via Jobvite <noreply@mail.jobvite.example>", "Interview: Picture Editor", "Marlow & Finch would like to meet you.\n\nBest,\nThe Marlow & Finch team", "Marlow & Finch"),
        ("Sophie Aubert <s.aubert@maisonverdier.example>", "Votre candidature", "Bonjour,\nMerci pour votre candidature.\n\nCordialement,\nSophie Aubert\nResponsable RH\nMaison Verdier\n69002 Lyon", "Maison Verdier"),
        ("Indeed <noreply@indeed.com>", "Candidature envoyée", "Votre candidature a été envoyée à Galerie Perrin.\n\nBonne chance !", "Galerie Perrin"),
        ("Recruitment <recruitment@harrowdale.gov.uk>", "Outcome of your application", "Dear Camille,\n\nThank you for applying to us.\n\nRecruitment Team\nHarrowdale Borough Council", "Harrowdale Borough Council"),
        ("Centre hospitalier de Brisac - DRH <recrutement@ch-brisac.example>", "Entretien", "Madame, nous vous proposons un entretien le 4 juin à 10h.", "Centre hospitalier de Brisac"),
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
        ("Offre", "Nous avons le plaisir de vous proposer le poste d'infirmier de nuit (H/F) à compter du 3 mai.", "infirmier de nuit"),
        ("Re: studio assistant", "Dear Camille, we would love to have you.", "studio assistant"),
        ("Hello", "The weather is fine.", ""),
    ],
)
def test_the_role_is_named(subject, text, role):
    assert found("Ann <ann@northloop.example>", subject, text)[1] == role


def test_an_enquiry_has_no_role():
    assert found("Ann <ann@northloop.example>", "Position of photographer", "Wedding", "client_enquiry")[1] == ""


def counted(folders: tuple[str, ...]) -> tuple[Counter[str], Counter[str]]:
    """What is found of the companies and of the roles that a mail names in so many words."""
    companies: Counter[str] = Counter()
    roles: Counter[str] = Counter()
    for folder in folders:
        with (CORPUS / folder / "labels.csv").open(encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["label"] != "not_relevant"]
        for row in rows:
            mail = mail_from_bytes((CORPUS / folder / row["file"]).read_bytes())
            written = " ".join(f"{mail.sender} {mail.subject} {mail.text}".split()).casefold()
            answers = company_and_role(read(mail), row["label"])
            for counts, right, answer in zip((companies, roles), (row["company"], row["role"]), answers, strict=True):
                if right.casefold() in written and not (counts is roles and row["label"] in WITHOUT_ROLE):
                    counts["named"] += bool(right)
                    counts["answered"] += bool(answer)
                    counts["right"] += bool(answer) and answer.casefold() == right.casefold()
                    counts["near"] += bool(right and answer) and (key_of(right) in key_of(answer) or key_of(answer) in key_of(right))
    return companies, roles


@pytest.mark.parametrize("folders", FLOORS)
def test_companies_and_roles_that_a_mail_names_are_found_and_few_answers_are_wrong(folders, capsys):
    for kind, counts, (found_at_least, right_at_least) in zip(("companies", "roles"), counted(folders), FLOORS[folders], strict=True):
        exact, right = counts["right"] / counts["named"], counts["right"] / counts["answered"]
        with capsys.disabled():
            print(
                f"\n{'+'.join(folders)}: {exact:.1%} of {counts['named']} {kind}, {counts['near'] / counts['named']:.1%} nearly; {right:.1%} of answers right"
            )
        assert exact >= found_at_least
        assert right >= right_at_least


@pytest.mark.parametrize("text", ["A " * 50_000, "Studio of the Art, Manager\n" * 4_000, (" " * 50 + "Studio") * 5_000, "(" * 50_000])
def test_a_mail_written_to_keep_the_search_busy_does_not(text):
    reading = read(Mail(f"{text[:5_000]} <a@b.example>", (), text, text, {}))
    assert cpu_seconds(lambda: company_and_role(reading, "rejection"), below=0.5) < 0.5


def test_the_weights_are_of_findings_and_small():
    for kind in ("company", "role"):
        assert len(weights()[kind]) < 5_000
        assert max(map(abs, weights()[kind].values())) < 20
