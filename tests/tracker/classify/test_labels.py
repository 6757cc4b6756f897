"""What one short mail does to an opportunity: each label in both languages, and its near misses."""

# ruff: noqa: E501, ISC004 - mails read better in one piece

import pytest

from aaperture.lib.mime import Mail
from tracker.classify import LABELS, classify


def mail(text: str, *, subject: str = "", sender: str = "Ann Hall <ann.hall@northloop.example>", **headers: str) -> Mail:
    return Mail(sender, ("camille@example.test",), subject, text, {name.replace("_", "-"): value for name, value in headers.items()})


SAYS = {
    "application_confirmation": [
        ("Your application", "Thank you for applying for the position of Staff Nurse. We have received your application and will get back to you soon."),
        ("Votre candidature", "Nous accusons réception de votre candidature au poste de graphiste. Si votre profil correspond, nous vous proposerons un entretien."),
        ("Accusé de dépôt", "Votre pli a été déposé le 6 novembre à 10 h 42 pour la consultation 2026-19."),
    ],
    "rejection": [
        ("Your application", "Thank you for your time. After careful consideration we have decided to move forward with other candidates for this role."),
        ("Candidature", "Malheureusement nous ne pouvons donner une suite favorable à votre candidature. Nous vous souhaitons bonne chance dans vos recherches."),
        ("The Open 2027", "The judges have made their choice and your work was not selected for the exhibition this year."),
    ],
    "availability_request": [
        ("Interview", "We would like to meet you about the designer position. Could you let me know your availability next week?"),
        ("Entretien", "Votre candidature nous a plu. Merci de choisir un créneau pour l'entretien : mardi 10 h, mercredi 14 h ou jeudi 9 h."),
    ],
    "interview_invitation": [
        ("Interview", "We are pleased to invite you to an interview for the post of Trainee Developer on Thursday 12 November at 2 pm at our offices."),
        ("Entretien", "Nous avons le plaisir de vous convier à un entretien pour le poste d'infirmière le mardi 3 mars à 10 h dans nos locaux."),
    ],
    "assessment_sent": [
        ("Next step", "As part of your application for the developer role, please complete the attached take-home exercise and send it back by Sunday."),
        ("Test technique", "Dans le cadre de votre candidature, merci de réaliser ce test technique en ligne avant dimanche. Il dure 45 minutes."),
    ],
    "information_request": [
        ("Your file", "Before we can issue your contract we still need a copy of your diploma and the contact details of two references from former employers."),
        ("Votre dossier", "Pour compléter votre dossier de candidature, merci de nous transmettre une copie de votre diplôme et vos prétentions salariales."),
    ],
    "referral_action_required": [
        ("A colleague thinks of you", "Julie Martin, who works with us, has recommended you for the analyst position. To be considered you still need to complete your application."),
        ("Cooptation", "Votre ancienne collègue Julie vous a recommandée pour le poste d'infirmière. Il vous reste à déposer votre CV avec le code de cooptation."),
    ],
    "inbound_request": [
        ("Product designer role", "I came across your portfolio and we are looking for a product designer to join our team. Would you be interested in hearing more about the role?"),
        ("Opportunité", "Je suis tombée sur votre profil. Mon client recherche un directeur artistique en CDI à Lyon. Ce poste pourrait-il vous intéresser ?"),
    ],
    "action_required_from_company": [
        ("Re: Interview", "Thanks for coming in yesterday. The panel meets on Thursday and we will let you know our decision early next week. Nothing needed from you."),
        ("Re: Entretien", "Merci pour cet échange. Le comité se réunit mercredi, je reviens vers vous dès que nous aurons tranché pour le poste."),
    ],
    "hiring_freeze": [
        ("The QA role", "I'm sorry, the position has been put on hold because of a hiring freeze. It has nothing to do with you or how your interviews went."),
        ("Poste", "La direction a décidé de geler les recrutements jusqu'au 31 mars. Le poste auquel vous avez candidaté est donc suspendu."),
    ],
    "withdrew_application": [
        ("Your application", "As you asked, your application for the programmer position has been withdrawn. No further action is needed."),
        ("RE: Désistement", "C'est noté, je retire votre candidature du processus. Dommage pour nous, belle continuation !"),
    ],
    "offer_made": [
        ("Good news", "I am delighted to offer you the position of Web Developer at a salary of £31,500. Please sign and return the attached contract."),
        ("Bonne nouvelle", "Nous avons le plaisir de vous proposer le poste de graphiste en CDI à partir du 1er septembre, pour 2 600 euros brut par mois."),
    ],
    "client_enquiry": [
        ("Wedding", "We are getting married on 11 July 2027 near Lyon and are looking for a photographer. Are you free that day and what are your rates?"),
        ("Demande de devis", "Nous ouvrons un restaurant et aurions besoin d'un reportage photo. Quels sont vos tarifs pour une demi-journée ?"),
    ],
    "quote_follow_up": [
        ("Re: Quote 2026-41", "Thanks for your quote. It is a bit above our budget, could you bring the price down if we drop the album?"),
        ("Re: Devis reportage", "Merci pour votre devis. Vous le trouverez signé en pièce jointe avec la mention bon pour accord, à qui verser l'acompte ?"),
    ],
    "call_for_entries": [
        ("Open call", "Call for entries: the Documentary Photo Award is open to photographers of any nationality. Deadline for submissions: 31 May."),
        ("Appel à candidatures", "Le centre d'art lance un appel à candidatures pour une résidence ouverte à tout photographe. Dossier à envoyer avant le 10 janvier."),
    ],
}  # fmt: skip

IRRELEVANT = {
    "a digest": ("12 new jobs for you", "12 new jobs match your alert: Graduate Developer, Leeds. Test Analyst, Remote. See all jobs."),
    "a code": ("Your code", "Your one-time verification code for the careers site is 448 201. It is valid for 10 minutes."),
    "a survey": ("How did we do?", "You recently interviewed with us. Your answers to this short survey are anonymous and never affect an application."),
    "an absence": ("Réponse automatique : Candidature", "Je suis absente du bureau jusqu'au 12 mai. Votre message sera lu à mon retour."),
    "somebody applying": ("Stage", "Étudiante en photographie, je vous adresse ma candidature pour un stage dans votre studio. Mon CV est joint."),
    "a seller": ("Your quote", "Thanks for your enquiry. Please find our quote for 50 prints below. The quote is valid for 30 days, delivery in one week."),
    "a bank": ("Votre demande de prêt", "Nous sommes au regret de ne pouvoir donner une suite favorable à votre demande de prêt personnel. Votre conseiller, Banque du Nord"),
    "a landlord": ("Flat 3", "The landlord of the flat is pleased to offer you the tenancy. Please send three payslips and sign the holding deposit form. Rowan Lettings"),
    "a school": ("Admission", "Nous avons bien reçu le dossier d'admission de votre fille. La directrice vous recevra en entretien mercredi à 15 h. L'école"),
    "a doctor": ("Appointment reminder", "This is a reminder of your appointment with Dr Lowe, dentist, on Tuesday 17 November at 11:45."),
    "a shop": ("Order confirmed", "Thank you, we have received your order and will send you a tracking number once it ships. Choose a delivery slot."),
    "software": ("[lib] PR 412", "Thanks for the pull request. Unfortunately we won't be moving forward with this one. View it on GitHub."),
    "a lunch": ("sunday", "Hi love, are you free on Sunday for lunch? Uncle Femi is coming. Let me know what time suits. Mum x"),
    "a promotion": ("Une offre pour vous", "Notre meilleure offre de l'année : 20 % de remise sur toutes les optiques jusqu'à dimanche. Se désabonner."),
}  # fmt: skip


@pytest.mark.parametrize(("label", "subject", "text"), [(label, *said) for label, cases in SAYS.items() for said in cases])
def test_a_plain_mail_gets_its_label(label, subject, text):
    found = classify(mail(text, subject=subject))
    assert found.label == label
    assert found.reasons and 0.5 <= found.confidence <= 1


def test_every_label_has_a_case():
    assert SAYS.keys() == LABELS


@pytest.mark.parametrize("case", IRRELEVANT)
def test_the_same_words_elsewhere_in_life_are_not_relevant(case):
    subject, text = IRRELEVANT[case]
    assert classify(mail(text, subject=subject, sender="Hello <hello@somewhere.example>")).label == "not_relevant"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (
            "Thanks for applying! We have received your application for the nurse post. If you are selected you will be invited to an interview. "
            "If you do not hear from us within two weeks, please consider your application unsuccessful.",
            "application_confirmation",
        ),
        (
            "Nous avons bien reçu votre candidature et vous en remercions. Les candidats retenus seront conviés à un entretien puis à un test. "
            "Sans réponse de notre part sous trois semaines, considérez que votre candidature n'a pas été retenue.",
            "application_confirmation",
        ),
    ],
)
def test_a_described_process_does_not_decide(text, label):
    assert classify(mail(text, subject="Your application")).label == label


def test_a_client_who_asks_for_a_date_is_still_a_client():
    assert (
        classify(mail("Are you free on the 11th to photograph our daughter's christening? What do you charge?", subject="Photos")).label
        == "client_enquiry"
    )


def test_a_refused_quote_is_a_reaction_to_the_quote_and_no_rejection():
    text = "Merci pour votre devis. Nous avons finalement choisi un autre photographe dont le prix était plus bas."
    assert classify(mail(text, subject="Re: Devis mariage", in_reply_to="<1@x>")).label == "quote_follow_up"


def test_mail_that_the_owner_sent_is_not_relevant():
    sent = mail("I am delighted to offer you the position of studio assistant.", subject="Offer")
    assert classify(Mail(sent.sender, sent.recipients, sent.subject, sent.text, sent.headers, sent_by_owner=True)).label == "not_relevant"


@pytest.mark.parametrize("text", ["", " ", "ok", "😀", "?!", "a" * 90_000, "\n" * 5_000, "> > >", "-- \n", "On Monday wrote:"])
def test_any_text_gets_an_answer(text):
    assert classify(mail(text)).label in LABELS | {"not_relevant"}


def test_the_answer_is_always_the_same():
    first, second = (classify(mail(SAYS["rejection"][0][1], subject="Your application")) for _ in range(2))
    assert first == second
