"""Only the newest message decides: quotes, history, signatures, footers and digests are cut, bare forwards are not."""

# ruff: noqa: E501 - mails read better in one piece

import pytest

from tracker.classify.cutting import cut
from tracker.classify.normalise import sentences

NEW = "Unfortunately we went with somebody else in the end, sorry."


@pytest.mark.parametrize(
    "history",
    [
        "On Mon, 12 Oct 2026 at 17:22, Sam Okafor <sam@mailbox.example> wrote:\n> Thank you for the interview.\n> Sam",
        "On Mon, 12 Oct 2026 at 17:22, Sam Okafor\n<sam@mailbox.example> wrote:\nThank you for the interview.",
        "Le lun. 12 oct. 2026 à 17:22, Sam Okafor <sam@mailbox.example> a écrit :\n> Merci pour l'entretien.",
        "-----Original Message-----\nFrom: Sam\nSent: Monday\nWe are pleased to invite you to an interview.",
        "-----Message d'origine-----\nDe : Sam\nEnvoyé : lundi\nNous vous invitons à un entretien.",
        "De : Chantal Morin\nEnvoyé : jeudi 8 octobre 2026 16:20\nÀ : Inès Haddad\nObjet : Entretien\n\nNous vous convions à un entretien.",
        "________________________________\nFrom: HR <hr@firm.example>\nSent: 1 May 2026\nSubject: Interview\n\nPlease come in.",
        "> interview on Thursday at 11am",
        "Previous messages:\nPlease choose a slot.",
    ],
)
def test_the_conversation_below_is_cut(history):
    assert cut(f"{NEW}\n\n{history}").text == NEW


@pytest.mark.parametrize(
    "tail",
    [
        "-- \nHelen Frost\nRecruiter, Northloop",
        "Kind regards,\nHelen Frost\nTalent Partner | Northloop",
        "Cordialement,\n\nHélène Roux\nChargée de recrutement - Clinique des Tilleuls",
        "Sent from my iPhone",
        "Unsubscribe | Privacy policy",
        "You are receiving this email because you applied. Unsubscribe here.",
        "This email and any attachments are confidential and intended solely for the addressee.",
        "Ce message et ses pièces jointes sont confidentiels.",
        "Similar jobs\nGraduate Developer, Leeds\nTest Analyst, York",
        "Ces offres pourraient vous intéresser\nGraphiste, Nantes",
    ],
)
def test_signatures_footers_and_digests_are_cut(tail):
    kept = cut(f"Hi Sam,\n\n{NEW} We all enjoyed meeting you very much.\n\n{tail}").text
    assert NEW in kept
    for word in ("Frost", "Roux", "iPhone", "Unsubscribe", "confident", "Leeds", "Nantes"):
        assert word not in kept


def test_a_postscript_is_part_of_the_message():
    assert "slot" in cut("Thanks for the call, it was good to talk.\n\nBest,\nAnn\n\nPS: please choose a slot for Friday").text


def test_a_bare_forward_is_its_content():
    text = "FYI\n\n---------- Forwarded message ---------\nFrom: HR <hr@firm.example>\nDate: 1 May 2026\nSubject: Offer\nTo: me\n\nWe are pleased to offer you the job."
    found = cut(text)
    assert found.forwarded and "offer you the job" in found.text and found.forward_sender == "HR <hr@firm.example>"


def test_a_forward_under_a_real_message_is_history():
    words = "I have thought about it for a long while and I would like you to look at the note below because it concerns all of us in the team this year. "
    assert (
        "pleased" not in cut(words * 2 + "\n\n---------- Forwarded message ---------\nFrom: HR\nWe are pleased to offer you the job.").text
    )


def test_a_form_relay_keeps_what_stands_below_its_dashes():
    text = "New message\n--\nMessage: are you free on 3 May for our wedding?"
    assert "free on 3 May" in cut(text, relay=True).text


def test_a_question_that_names_a_company_number_is_no_footer():
    text = "Bonjour Camille,\n\nPourriez-vous m'envoyer votre numéro SIRET et une attestation d'assurance ?\n\nMerci !"
    assert "SIRET" in cut(text).text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("L’entretien aura lieu jeudi 22 octobre à 9 h 30.", "l entretien aura lieu @date a @time"),
        ("We can't do 2pm, it's £1,200 on the 11th of July", "we can not do @time it s @money on @date"),
        ("mon cabinet ouvre", "mon cabinet ouvre"),
        ("Book here: https://calendly.com/x or write to a@b.example", "book here @book or write to @mail"),
        ("Êtes-vous retenu(e)s ?", "etes vous retenus ?"),
    ],
)
def test_words_are_compared_without_accents_apostrophes_and_figures(text, words):
    assert " ".join(sentences(text)[0].split()) == words


def test_wrapped_lines_are_one_sentence_and_a_list_is_not():
    assert len(sentences("We were glad to meet you on Tuesday and have now\ndecided to go with another person.")) == 1
    assert len(sentences("Nom : Paul\nTéléphone : 06\nLieu : Lyon")) == 3
