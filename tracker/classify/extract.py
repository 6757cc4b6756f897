"""Whose opportunity it is, and for which role, from names as they are written in the mail."""

# ruff: noqa: E501 - patterns read better in one piece

import re
from collections.abc import Iterator
from itertools import islice

from tracker.classify.evidence import FREE_MAIL, Reading
from tracker.classify.normalise import fold

MAX_NAME = 60
WITHOUT_ROLE = {"client_enquiry", "quote_follow_up", "call_for_entries"}
PLATFORMS = re.compile(
    r"linkedin|indeed|glassdoor|greenhouse|lever|workday|myworkday|smartrecruiters|ashby|teamtailor|workable|icims|taleo|bamboohr|recruitee|jobvite|"
    r"personio|breezy|successfactors|welcome ?to ?the ?jungle|wttj|hellowork|apec|cadremploi|monster|meteojob|jobteaser|totaljobs|reed|cv-?library|malt|upwork|"
    r"fiverr|mariages|the ?knot|weddingwire|hitched|bark|thumbtack|calendly|doodle|hackerrank|codility|codesignal|testgorilla|hirevue|wordpress|squarespace|wix|"
    r"typeform|jotform|google|gmail|outlook|microsoft|zoom|teams|picter|submittable|profil ?acheteur|boamp|achatpublic|marches-?publics|e-?marches|notification|"
    r"tender ?alerts|publictenders|nhs ?jobs|bookings?|bookme|calbook|codetrial|platform|plateforme|job ?board|france ?travail|pole ?emploi|docusign|yousign"
)
DEPARTMENT = re.compile(
    r"\b(?:équipe|equipe|service|pôle|pole|direction|département|departement|secrétariat|secretariat|cellule|bureau|recruitment|recruiting|recrutements?|recruteurs?|"
    r"careers?|carrières?|carrieres?|talent|acquisition|people|hr|rh|drh|jobs?|hiring|team|onboarding|human|resources|ressources|humaines|no-?reply|ne pas répondre|noreply|notifications?|"
    r"applications?|candidatures?|emplois?|staffing|bookings|inscriptions|cooptation|office|support|info|contact|hello|bonjour|experience|early|procurement|gestion administrative|paie|personnel|emploi|intendance|rédaction photo|cadre|staff referral scheme|département|veille marchés|general|général|admin|selection|"
    r"commande publique|marchés|marches|achats|residences?|résidences?|entries|assessments?)\b",
    re.IGNORECASE,
)
ON_BEHALF = re.compile(r"(?:on behalf of|pour le compte de|de la part de|pour)\s+(.+)$", re.IGNORECASE)
NAME = r"(?:[A-ZÀ-ÖØ-Þ0-9][\w&'’.+-]*|[a-z]+[A-Z]\w*)"
LINK = r"(?:of|and|&|the|de|du|des|la|le|les|d'|l'|d’|l’|et|en|für|to|sur|à|aux|-|–)"
PROPER = rf"({NAME}(?:[^\S\n]+(?:{LINK}[^\S\n]*){{0,3}}{NAME}){{0,5}})"
CUES = (
    (5.0, rf"(?:sent to|transmise? à|envoyée? à|submitted to|postulé chez|applied (?:to|at)|applying (?:to|at)|application (?:to|with|at)|candidature (?:chez|auprès d[eu]|à))\s+(?:the\s+|la\s+|le\s+|l['’])?{PROPER}"),
    (4.0, rf"(?:interest in|joining|join|rejoindre|intégrer|intérêt (?:pour|porté à)|behalf of|welcome to|bienvenue (?:chez|à)|au sein d[eu](?: la)?|position (?:at|with)|role (?:at|with)|job (?:at|with)|place (?:at|with)|interview (?:at|with)|entretien chez|poste chez|équipe (?:de |d['’]))\s+(?:the\s+|la\s+|le\s+|l['’])?{PROPER}"),
    (3.0, rf"(?:\bat|\bchez|\bfrom|\bwith|here at)\s+{PROPER}"),
    (3.5, rf"\b(?:The|Your friends at|Team|L['’]équipe|L['’]Équipe|Équipe|équipe)\s+{PROPER}(?:\s+(?:[Tt]eam|[Tt]alent|[Rr]ecruit\w*|[Hh]iring|[Cc]areers?|[Pp]eople))?"),
    (4.0, rf"(?:Organisme|Acheteur|Contracting authority|Company|Entreprise|Société|Employer|Employeur|Buyer|Pouvoir adjudicateur|Client)\s*:\s*{PROPER}"),
    (4.5, rf"{PROPER}\s+(?:has invited you|vous invite|would like you|has referred|is hiring|recrute\b|is looking for|recherche\b|thanks you|lance\b|launches)"),
)  # fmt: skip
COMPILED = tuple((score, re.compile(pattern)) for score, pattern in CUES)
ANY_NAME = re.compile(PROPER)
SIGNATURE_SPLIT = re.compile(r"\s*(?:\||,|–|—|•|·|\s-\s|/)\s*")
LEGAL = re.compile(r"\s*\b(?:ltd|limited|inc|llc|plc|gmbh|sarl|sas|sasu|s\.?a\.?r?\.?l?\.?|eurl|bv|srl|corp)\b\.?\s*$", re.IGNORECASE)
TITLE = re.compile(
    r"\b(?:manager|director|directeur|directrice|head|lead|partner|recruiter|recruteu|chargée?|responsable|officer|assistant|coordinator|founder|fondat|editor|president|président|chef|cadre|"
    r"drh|rh|hr|ceo|cto|consultant|specialist|secretary|secrétaire|maire|executive|producer|curator|commissaire|administrator|talent|people|desk|dr|mme|mr)\b",
    re.IGNORECASE,
)
NOT_NAMES = re.compile(
    r"^(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|may|june|july|august|september|october|november|december|i|you|we|hi|hello|dear|thank|thanks|"
    r"bonjour|merci|madame|monsieur|teams|zoom|google|noon|home|cv|hr|rh|the|our|your|a|an|\d.*|if|please|good|once|gmt|pdf|le|la|les|nous|vous|lundi|mardi|mercredi|jeudi|vendredi|objet|re|tr|fwd|"
    r"application|candidature|interview|entretien|update|team|art|design|uk|france|london|paris|lyon|leeds)$"
)
PREFIX = re.compile(r"^(?:The|La|Le|Les|L['’])\s*(?=[A-ZÀ-Þ])")

ROLE_STOP = (
    r"(?=\s*(?:$|[.,;:!?()\[\]|\n«»\"“”]|\s[-–—•]\s|\s(?:at|with|here|has|have|is|was|are|in our|in the|within|and (?:we|I|are|would|thank|look|for)|but|which|that|on|from|role|position|post|job|vacancy|opening|we|to"
    r"|chez|au sein|dans|auprès|à la|à l'|et (?:nous|je|vous|au|le)|que|qui|est|a|ont|sur|nous|vous|pour|as part|via|reporting|by|will|team|reference|ref|réf|you|this|below)\b))"
)
ROLE_TEXT = r"([A-ZÀ-Þa-zà-ÿ][\w'’&/+.·é-]*(?:[ /-][\w'’&/+.#·()-]+){0,8}?)"
ROLE_CUES = tuple(
    re.compile(pattern if "[A-Z][" in pattern else "(?i)" + pattern)
    for pattern in (
        rf"\b(?:position|role|post|job|vacancy|title|opening)\s+(?:of|as|for|:)\s*(?:an?\s|the\s|our\s|:\s*)?{ROLE_TEXT}{ROLE_STOP}",
        rf"\b(?:poste|emploi|fonctions?|postes|place|mission|offre d['’]emploi|offre)\s+(?:vacant\s+)?(?:de\s+la\s|de\s|d['’]|:\s*)(?:un\s|une\s)?{ROLE_TEXT}{ROLE_STOP}",
        rf"\b(?:application|applying|applied|apply|candidature|candidacy|considered|interest|interview|entretien|recrutement|invite|offer|recommended you|coding test|test)\s+(?:for|pour|as|d['’]|:|–|-)\s*(?:the\s|a\s|an\s|our\s|le\s|la\s|un\s|une\s|poste\s(?:de\s|d['’]))*{ROLE_TEXT}{ROLE_STOP}",
        r"\b(?:[Tt]he|[Oo]ur|[Yy]our|an?|this|for)\s+((?:[A-Z][\w/&+.-]*|of|and|&)(?:\s(?:[A-Z][\w/&+.-]*|of|and|&|\(?[A-Z]\w*\)?)){{0,5}})\s+(?:role|position|post|vacancy|job|opening|opportunity|test|assessment)\b",
        rf"\b(?:as|comme|en tant que|tant que)\s+(?:an?\s|our\s|the\s|un\s|une\s|notre\s)?{ROLE_TEXT}{ROLE_STOP}",
    )
)  # fmt: skip
SUBJECT_ROLE = re.compile(r"(?:^|[:–—|(-]\s*)([^:–—|()]{3,60}?)(?=\s*(?:$|[–—|()]|\s-\s|,))")
ROLE_NOISE = re.compile(
    r"\s*[\[(](?:h\s?/\s?f(?:/x)?|f\s?/\s?h|m\s?/\s?f(?:/\w)?|h/f|r[ée]f|all genders|cdi|cdd|id|remote|m/w/d)[^)\]]*[\])]|\s+[hf]\s?/\s?[hf]\b",
    re.IGNORECASE,
)
JOB_WORD = re.compile(
    r"engineer|developer|developpeu|designer|nurse|infirmi|photograph|graphist|manager|assistant|director|directeur|directrice|editor|retouch|analyst|officer|technician|technicien|teacher|enseignant|"
    r"professeur|producer|artist|illustrat|maquettist|redact|redacteur|writer|consultant|coordinat|administrator|trainee|intern\b|stagiaire|apprenti|alternan|chef|responsable|charge|aide|puericult|"
    r"sage|cadre|monteu|iconograph|programmer|architect|scientist|support|barista|vendeu|serveu|cuisini|librar|bibliothec|videograph|operator|operateur|curator|lecturer|tutor|formateu|intervenant|"
    r"animat|comptable|accountant|secretaire|agent|driver|lead|head of|shooter|fellow|dev\b|da\b|cto|graduate|specialist|shoot|webmaster|integrat|product|marketing|sales"
)


EDGES = re.compile(
    r"^(?:(?:the|de la|de l['’]|des|de|du|d['’]|et|and|of|at|for|-)\s*\b)+|(?:\s+(?:de|du|des|la|et|and|of|at|the|-))+$", re.IGNORECASE
)


def _fold_key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", fold(name))


def _tidy(name: str) -> str:
    name = LEGAL.sub("", PREFIX.sub("", name.strip(" \t\n.,;:!?-–—|\"“”«»()*'’"))) if not name.startswith(("La ", "Le ", "Les ")) else name
    name = re.sub(r"\s+", " ", LEGAL.sub("", re.split(r"(?<=[a-zà-ÿ])\.\s", name)[0]))
    return EDGES.sub("", name.strip(' .,;:!?-–—|"“”«»()*')).strip(" .,;:!?-–—|\"“”«»()*'’")[:MAX_NAME]


def _display_name(sender: str) -> str:
    return sender.split("<")[0].strip().strip("\"'").strip()


def _is_person(name: str, address: str) -> bool:
    """Whether a display name is somebody's: it is spelled in the address before the @."""
    local = re.sub(r"[^a-z]", "", fold(address.split("@")[0]))
    words = [re.sub(r"[^a-z]", "", word) for word in fold(name).split()]
    words = [word for word in words if len(word) > 1]
    if not words or len(words) > 4 or DEPARTMENT.search(name):
        return False
    return sum(word in local for word in words) >= 1 and (words[-1] in local or words[0] in local or local.startswith(words[0][:1]))


def _from_sender(reading: Reading) -> Iterator[tuple[float, str]]:
    display = _display_name(reading.mail.sender)
    behalf = ON_BEHALF.search(display)
    if behalf:
        yield 6.0, behalf.group(1)
        return
    display = re.sub(r"\s+(?:via|par)\s+.+$", "", display)
    if not display or "@" in display or PLATFORMS.search(fold(display)) or _is_person(display, reading.sender_address):
        return
    for piece in reversed(re.split(r"\s*(?:\(|\)|\||\s-\s|\s–\s|,|@| at | chez )\s*", display)):
        cleaned = re.sub(r"\s+", " ", DEPARTMENT.sub(" ", piece)).strip(" -'’")
        if cleaned and not _is_person(piece, reading.sender_address):
            whole = piece.strip() if not re.match(DEPARTMENT, piece) and not re.search(DEPARTMENT, piece) else cleaned
            yield 4.0, whole


def _domain_label(reading: Reading) -> str:
    domain = reading.sender_domain
    if not domain or FREE_MAIL.match(domain) or PLATFORMS.search(domain):
        return ""
    parts = domain.split(".")
    label = parts[-2] if len(parts) >= 2 else parts[0]
    return parts[-3] if label in {"co", "com", "org", "gov", "ac", "asso", "gouv", "nhs"} and len(parts) >= 3 else label


def _from_text(reading: Reading) -> Iterator[tuple[float, str]]:
    subject, body = reading.mail.subject, reading.cut.text[:4_000]
    for text, bonus in ((subject, 0.7), (body, 0.0), (reading.cut.signature[:400], 0.3)):
        for score, pattern in COMPILED:
            for number, found in enumerate(pattern.finditer(text)):
                yield score + bonus - 0.2 * number, found.group(1)
                if number >= 3:
                    break
    domain = _fold_key(_domain_label(reading))
    for text in (subject, body, reading.cut.signature[:400], reading.cut.quoted[:1_500]) if domain else ():
        for found in islice(ANY_NAME.finditer(text), 60):
            words = [_fold_key(word) for word in re.split(r"[\s-]", found.group(1))]
            if not _is_person(found.group(1), reading.sender_address) and any(
                len(word) > 3 and (word in domain or domain in word or (len(word) > 5 and word[:5] == domain[:5])) for word in words
            ):
                yield 2.5, found.group(1)
    for line in reversed([line for line in (reading.cut.signature or reading.cut.text[-200:]).splitlines() if line.strip()][-4:]):
        pieces = SIGNATURE_SPLIT.split(line.strip())
        for piece in pieces:
            if (
                2 < len(piece) < MAX_NAME
                and not TITLE.search(piece)
                and re.match(NAME, piece)
                and not _is_person(piece, reading.sender_address)
            ):
                yield (2.4 if len(pieces) > 1 else 1.6), DEPARTMENT.sub("", piece) if len(pieces) == 1 else piece


def _company(reading: Reading) -> str:
    domain = _fold_key(_domain_label(reading))
    recipients = fold(" ".join(reading.mail.recipients))
    best: dict[str, tuple[float, str]] = {}
    for score, raw in (*_from_sender(reading), *_from_text(reading)):
        name = _tidy(raw)
        key = _fold_key(name)
        words = fold(name).split()
        if (
            len(key) < 3
            or "@" in name
            or NOT_NAMES.match(fold(name))
            or PLATFORMS.fullmatch(fold(name))
            or (words and words[0] in recipients and len(words) <= 2)
        ):
            continue
        if domain and (key in domain or domain in key or any(len(word) > 4 and word in domain for word in map(_fold_key, words))):
            score += 4.0 + min(1.0, len(key) / 30)
        held = best.get(key)
        best[key] = (score + (0.8 if held else 0.0) if not held or score > held[0] else held[0] + 0.8, name if not held else held[1])
    if best:
        score, name = max(best.values())
        if score >= 3.0:
            longer = [
                other
                for key, (other_score, other) in best.items()
                if key.startswith(_fold_key(name)) and other_score >= score - 2.5 and len(other.split()) <= len(name.split()) + 2
            ]
            return max(longer, key=len, default=name)
    label = _domain_label(reading)
    return label.replace("-", " ").title() if label and not reading.is_no_reply else ""


def _clean_role(role: str) -> str:
    role = ROLE_NOISE.sub("", role).strip(" \t.,;:!?-–—|\"“”«»*'’")
    role = re.split(r"(?i)\s+(?:auquel|spot|passe|in|à|aux|role|position|job)\b", role)[0]
    for _ in range(3):
        role = re.sub(
            r"^(?:the|our|a|an|your|le|la|un|une|notre|votre|poste|next step for the|update on the|candidature|entretien|convocation|interview|opportunité|opportunity|test|jury de recrutement|recrutement|cdi|cdd|freelance mission|annulé)\s+(?:d[e'’]\s?)?",
            "",
            role,
            flags=re.IGNORECASE,
        )
    return re.sub(r"\s+", " ", role).strip()[:MAX_NAME]


def _roles(reading: Reading) -> Iterator[tuple[float, str]]:
    texts = ((reading.mail.subject, 1.0), (reading.cut.text[:4_000], 0.5), (reading.cut.quoted[:1_500], 0.0))
    for text, bonus in texts:
        for number, pattern in enumerate(ROLE_CUES):
            for count, found in enumerate(pattern.finditer(text.replace("\n", " ") if number != 3 else text)):
                yield 3.0 - 0.4 * number + bonus, found.group(1)
                if count >= 3:
                    break
    for found in SUBJECT_ROLE.finditer(re.sub(r"^(?:\s*(?:re|tr|fwd?|aw)\s?:)+", "", reading.mail.subject, flags=re.IGNORECASE)):
        yield 1.0, found.group(1)


def _role(reading: Reading) -> str:
    best = (0.0, "")
    for score, raw in _roles(reading):
        role = _clean_role(raw)
        folded = fold(role)
        if (
            not len(role) > 2
            or len(role.split()) > 9
            or not JOB_WORD.search(folded)
            or re.search(r"\b(?:you|your|vous|votre|we|nous|thank|merci)\b", folded)
        ):
            continue
        best = max(best, (score, role))
    return best[1]


def company_and_role(reading: Reading, label: str) -> tuple[str, str]:
    """Company and role as written in the mail, "" when unknown; a platform is never the company."""
    return _company(reading), "" if label in WITHOUT_ROLE else _role(reading)
