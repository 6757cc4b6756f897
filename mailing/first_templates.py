"""The templates that a studio may begin with, in English and in French. Its own from then on."""

from typing import NamedTuple


class First(NamedTuple):
    kind: str
    language: str
    name: str
    subject: str
    text: str


FIRST = (
    First("quote", "en", "Quote", "Your quote {{ quote.number }}", """Hello {{ client.first_name }},

Thank you for your enquiry. Here is the quote for “{{ project.title }}”: **{{ quote.total }}**, valid until {{ quote.valid_until }}.

You can read it and accept it here:

{{ link }}

If you have a question, just answer this e-mail.

{{ studio.name }}"""),
    First("quote", "fr", "Devis", "Votre devis {{ quote.number }}", """Bonjour {{ client.first_name }},

Merci de votre demande. Voici le devis pour « {{ project.title }} » : **{{ quote.total }}**, valable jusqu’au {{ quote.valid_until }}.

Vous pouvez le lire et l’accepter ici :

{{ link }}

Une question ? Répondez simplement à cet e-mail.

{{ studio.name }}"""),
    First("contract", "en", "Contract", "Your contract: {{ contract.title }}", """Hello {{ client.first_name }},

Here is the contract “{{ contract.title }}”. Please read it and, if it suits you, agree to it here:

{{ link }}

{{ studio.name }}"""),
    First("contract", "fr", "Contrat", "Votre contrat : {{ contract.title }}", """Bonjour {{ client.first_name }},

Voici le contrat « {{ contract.title }} ». Merci de le lire et, s’il vous convient, de donner votre accord ici :

{{ link }}

{{ studio.name }}"""),
    First("invoice", "en", "Invoice", "Invoice {{ invoice.number }}", """Hello {{ client.first_name }},

Here is the invoice {{ invoice.number }} of {{ invoice.total }}, due on {{ invoice.due_on }}.
It is attached, and you find it here together with how to pay it:

{{ link }}

Thank you!

{{ studio.name }}"""),
    First("invoice", "fr", "Facture", "Facture {{ invoice.number }}", """Bonjour {{ client.first_name }},

Voici la facture {{ invoice.number }} de {{ invoice.total }}, à régler au plus tard le {{ invoice.due_on }}.
Elle est jointe, et vous la trouverez aussi ici avec les moyens de la régler :

{{ link }}

Merci !

{{ studio.name }}"""),
    First("reminder", "en", "Payment reminder", "Reminder: invoice {{ invoice.number }}", """Hello {{ client.first_name }},

The invoice {{ invoice.number }} was due on {{ invoice.due_on }}, and we have not seen the payment of {{ invoice.balance }} yet.
It may simply have slipped through; here is how to pay it:

{{ link }}

If it is on its way, please forget this message.

{{ studio.name }}"""),
    First("reminder", "fr", "Relance", "Rappel : facture {{ invoice.number }}", """Bonjour {{ client.first_name }},

La facture {{ invoice.number }} était à régler au plus tard le {{ invoice.due_on }} et \
nous n’avons pas encore reçu les {{ invoice.balance }} restants.
Il s’agit sans doute d’un oubli ; voici comment la régler :

{{ link }}

Si le paiement est en route, ne tenez pas compte de ce message.

{{ studio.name }}"""),
    First("message", "en", "New dates", "New dates at {{ studio.name }}", """Hello {{ client.first_name }},

My calendar for the coming months is open. If you would like photos, just answer this e-mail with a day that suits you and a word on \
what you have in mind.

I look forward to hearing from you.

{{ studio.name }}"""),
    First("message", "fr", "Nouvelles dates", "De nouvelles dates chez {{ studio.name }}", """Bonjour {{ client.first_name }},

Mon agenda des prochains mois est ouvert. Si vous souhaitez des photos, répondez simplement à cet e-mail avec un jour qui vous convient \
et quelques mots sur ce que vous imaginez.

Au plaisir de vous lire.

{{ studio.name }}"""),
)  # fmt: skip
