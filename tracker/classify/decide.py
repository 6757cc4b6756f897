"""From evidence to one label: rules and likeness add up, context weighs them, and the tuned weights have the last word."""

# ruff: noqa: E501 - patterns read better in one piece

import re
from collections import defaultdict

from tracker.classify.evidence import Reading
from tracker.classify.normalise import fold
from tracker.classify.weigh import findings, weigh

NOT_RELEVANT = "not_relevant"
PROCESS = {
    "application_confirmation", "rejection", "availability_request", "interview_invitation", "assessment_sent", "information_request",
    "referral_action_required", "inbound_request", "action_required_from_company", "hiring_freeze", "withdrew_application", "offer_made",
}  # fmt: skip
LABELS = PROCESS | {"client_enquiry", "quote_follow_up", "call_for_entries"}
THRESHOLD = 4.0
CAUTION = 4.0  # to keep a private mail is worse than to miss a doubtful opportunity
NOISE_TAIL = 0.2
SUBJECT_NOISE = 1.0
ELSEWHERE, PERHAPS_ELSEWHERE = 0.3, 0.6
OWN_SUBJECTS, OWN_WEIGHT = ("work", "art"), 0.8
MAX_RULES = 12.0
RULES, LIKENESS, LIKENESS_NOISE = 0.65, 8.0, 12.0
NOT_BULK, COMPANY_PERSONAL, COMPANY_APPLICANT, NO_ABSENCE = 0.75, 0.4, 0.8, 0.6
CERTAIN, MOST_WEIGHT, PLAINLY = 7, 20, 0.3
UNSUBSCRIBE = re.compile(
    r"unsubscribe|desinscri|desabonn|opt out|email preferences|gerer mes|view in browser|version en ligne|read (?:it )?online"
)
ABSENCE_SUBJECT = re.compile(
    r" (?:auto\w*|absen\w*|away|leave|holiday|vacation|conges?|out of|undeliver\w*|delivery|failure|failed|reponse automatique|mailer|returned|non remis|echec|maternite|closed|ferme\w*|retour le) "
)
SLOT_LINE = re.compile(r"^ (?:[a-z0-9] )?(?:@date|@day|@time)(?: |$)")
ALTERNATIVES = re.compile(r"(?:@date|@day|@time)(?: [^@ ]+){0,5}? (?:or|ou|soit) (?:[^@ ]+ ){0,4}?(?:@date|@day|@time)")
QUOTE_WORD = re.compile(
    r"\b(?:quot\w+|estimate|proposal|price|prices|pricing|fee|cost|costing|figures|budget|devis|tarifs?|prix|proposition|chiffrage|estimation|montant|@money|acompte|po|invoice|facture)\b|@money"
)
QUOTE_SUBJECT = re.compile(
    r"^(?!.*\b(?:request|demande|enquiry|please|besoin)\b).*\b(?:quote|quotation|estimate|devis|proposal|proposition tarifaire|chiffrage|estimation)\b"
)


def _scores(reading: Reading) -> defaultdict[str, float]:
    """Per label, its strongest group of phrases and most of the others."""
    scores: defaultdict[str, float] = defaultdict(float)
    by_label: dict[str, list[float]] = {}
    for group, hit in reading.hits.items():
        by_label.setdefault(group.label, []).append(hit.score)
    for label, parts in by_label.items():
        parts.sort(reverse=True)
        scores[label] = min(parts[0] + 0.7 * sum(parts[1:]), MAX_RULES)
    return scores


def _subject_matter(reading: Reading) -> tuple[float, float]:
    """How much the mail speaks of work, awards and tenders, and how much of its strongest other subject."""
    work = OWN_WEIGHT * sum(reading.about.get(name, 0) for name in OWN_SUBJECTS)
    return work, max((float(count) for name, count in reading.about.items() if name not in OWN_SUBJECTS), default=0.0)


def _slots(reading: Reading) -> int:
    """How many times are on offer: lines of a list, or alternatives in a sentence."""
    listed = sum(bool(SLOT_LINE.match(line)) and len(line.split()) <= 14 for line in reading.lines[1:])
    return listed + 2 * sum(
        bool(ALTERNATIVES.search(line)) for number, line in enumerate(reading.lines) if number not in reading.hypothetical
    )


def _by_subject_matter(reading: Reading, scores: dict[str, float]) -> None:
    """The same words mean nothing to us in the mail of a bank, a landlord, a school or a doctor."""
    work, other = _subject_matter(reading)
    if other > work:
        for label in PROCESS | {"call_for_entries", "quote_follow_up"}:
            scores[label] *= ELSEWHERE if other >= work + 2 else PERHAPS_ELSEWHERE
    scores["noise:subject"] += SUBJECT_NOISE * min(5.0, max(0.0, other - work - 1))


def _by_sender(reading: Reading, scores: dict[str, float]) -> None:
    """Family writes from private addresses, newsletters can be left, absence replies say so in their headers or subject."""
    if reading.is_bulk:
        for label in PROCESS | {"client_enquiry", "quote_follow_up"}:
            scores[label] *= 0.55 if label not in {"application_confirmation", "rejection"} else 0.85
        for noise in ("digest", "newsletter", "survey"):
            scores["noise:" + noise] *= 1.3
    elif not UNSUBSCRIBE.search(fold(reading.mail.text[-3_000:])):
        for noise in ("digest", "newsletter"):
            scores["noise:" + noise] *= NOT_BULK
    if not reading.is_person:
        scores["noise:personal"] *= COMPANY_PERSONAL
    scores["noise:applicant"] *= 1.2 if reading.is_person else COMPANY_APPLICANT
    if reading.is_auto_reply:
        scores["noise:autoreply"] *= 1.5
    elif not ABSENCE_SUBJECT.search(reading.lines[0]):
        scores["noise:autoreply"] *= NO_ABSENCE


def _by_conversation(reading: Reading, scores: dict[str, float]) -> None:
    """A reply is no first approach; an answer under a quote's subject is about that quote."""
    if reading.is_reply and QUOTE_SUBJECT.search(reading.lines[0]):
        scores["quote_follow_up"] += 4.0
        scores["noise:seller"] *= 0.5
    elif not any(QUOTE_WORD.search(line) for line in (*reading.lines, fold(reading.cut.quoted[:2_000]))):
        scores["quote_follow_up"] *= 0.6
    if reading.is_reply:
        scores["inbound_request"] *= 0.35
        scores["referral_action_required"] *= 0.6
        scores["noise:applicant"] *= 0.5
        scores["call_for_entries"] *= 0.6
    if _slots(reading) >= 2 and max(scores["availability_request"], scores["interview_invitation"]) > 2:
        scores["availability_request"] += 3.0
        scores["interview_invitation"] *= 0.7


def _context(reading: Reading, scores: dict[str, float]) -> None:
    """Weigh scores by what the mail speaks of, how it was sent, and what it answers."""
    _by_subject_matter(reading, scores)
    _by_sender(reading, scores)
    _by_conversation(reading, scores)


def _blend(reading: Reading, scores: dict[str, float]) -> None:
    """Rules say what is meant when they know the phrase; likeness to the examples covers the rest."""
    for label in list(scores):
        scores[label] *= RULES
    for label, value in reading.likes.items():
        if ":" in label:
            scores["noise:" + label.partition(":")[2]] += LIKENESS_NOISE * value
        else:
            scores[label] += LIKENESS * value


def _first_opinion(scores: dict[str, float]) -> str:
    """What the tables alone would say: the strongest label, if no noise is stronger."""
    label = max(LABELS, key=lambda name: scores[name])
    noises = sorted((score for name, score in scores.items() if name.startswith("noise:")), reverse=True)
    noise = sum(noises[:1]) + NOISE_TAIL * sum(noises[1:4])
    return NOT_RELEVANT if scores[label] < THRESHOLD or noise >= scores[label] else label


def opinion(reading: Reading) -> tuple[dict[str, float], dict[str, float]]:
    """The tables' scores, and the findings to be weighed."""
    scores = _scores(reading)
    _blend(reading, scores)
    _context(reading, scores)
    own, other = _subject_matter(reading)
    quote = reading.is_reply and bool(QUOTE_SUBJECT.search(reading.lines[0]))
    first = _first_opinion(scores)
    return scores, findings(reading, scores, first, own=own, other=other, slots=_slots(reading), quote=quote)


def _is_plain(found: dict[str, float]) -> bool:
    """Whether a certain phrase of the tables' label was found in a mail that speaks of work and of nothing else."""
    first = next((name.removeprefix("tables say ") for name in found if name.startswith("tables say ")), NOT_RELEVANT)
    certain = any(f"rule {first} {weight}" in found for weight in range(CERTAIN, MOST_WEIGHT + 1))
    return certain and found.get("about work", 0.0) >= 1.0 and found.get("about us", 0.0) > 0 and not found.get("is_bulk")


def choose(found: dict[str, float]) -> tuple[str, float]:
    """The label and its probability; in doubt nothing is kept, but there is little doubt about plain words."""
    caution = PLAINLY if _is_plain(found) else CAUTION
    chances = {label: chance * (caution if label == NOT_RELEVANT else 1.0) for chance, label in weigh(found)}
    label = max(chances, key=chances.__getitem__)
    return label, round(min(0.99, chances[label] / sum(chances.values())), 2)


def decide(reading: Reading) -> tuple[str, float, dict[str, float]]:
    """The label, a confidence between 0 and 1, and the tables' scores."""
    scores, found = opinion(reading)
    label, confidence = (NOT_RELEVANT, 0.99) if reading.mail.sent_by_owner else choose(found)
    return label, confidence, scores
