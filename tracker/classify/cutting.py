"""Cut what is not the newest message: quotes, forwarded history, signatures, footers, digests under a message.

A bare forward or a contact-form relay keeps its content: there, the content *is* the message.
"""

# ruff: noqa: E501 - patterns read better in one piece

import re
from dataclasses import dataclass

from tracker.classify.normalise import fold, fold_lines

MAX_LINES = 1_500
FEW_WORDS = 25

ATTRIBUTION = re.compile(
    r"^\W{0,4}(?:on\b.{4,240}\bwrote\s?:?|le\b.{4,240}\ba ecrit\s?:?|am\b.{4,240}\bschrieb.{0,80}:?|el\b.{4,240}\bescribio\s?:?"
    r"|.{3,160}(?:@|\d{4}).{0,80}\b(?:wrote|a ecrit)\s?:|\S.{0,80}\b(?:wrote|a ecrit)\s?:)\s*$"
)
WROTE = ("wrote", "ecrit", "schrieb", "escribio")  # one of them is in every attribution
ATTRIBUTION_START = re.compile(r"^\W{0,4}(?:on|le)\s.{0,200}\d")
HISTORY = re.compile(
    r"^\W{0,4}(?:-{2,}\s?(?:original message|message d'origine|message original|message initial|original-nachricht|reponse)"
    r"|(?:previous|earlier) (?:messages?|emails?|conversation|correspondence)\s?:?$|(?:messages?|echanges?) precedents?\s?:?$"
    r"|historique (?:des (?:messages|echanges)|de la conversation)|(?:conversation|message|ticket) history|_{12,}\s?$"
    r"|-{3,}\s?(?:in reply to|en reponse a))"
)
FORWARD = re.compile(
    r"^\W{0,4}(?:-{2,}\s?)?(?:begin forwarded message|forwarded message|message transfere|message reexpedie|debut du message (?:transfere|reexpedie)"
    r"|fwd message|forwarded by|transfere par|transmis par)\b.{0,120}$"
)
HEADER_FROM = re.compile(r"^[\s>*_]{0,6}(?:from|de|von|expediteur)\s?[*_]{0,2}\s?:\s?\S")
HEADER_NEXT = re.compile(
    r"^[\s>*_]{0,6}(?:sent|date|to|cc|subject|envoye(?: le)?|a|objet|sujet|reply-to|repondre a|destinataire)\s?[*_]{0,2}\s?:"
)
PHONE_SIGNATURE = re.compile(
    r"^\W{0,3}(?:sent|envoye|get outlook|obtenez outlook|telecharge[rz]? outlook|typed with|sorry for typos)\b.{0,40}"
    r"(?:iphone|ipad|mobile|phone|android|smartphone|outlook|telephone|portable|samsung|galaxy|thumbs|typos|proton|yahoo|gmail|bluemail|train)\b.{0,40}$"
)
CLOSING = re.compile(
    r"^\W{0,3}(?:(?:(?:with )?(?:kind|best|warm|warmest|many|very best|all good)(?:est)? (?:regards|wishes|thanks)|regards|best|all the best|sincerely|cheers"
    r"|thanks|thank you|many thanks|thanks again|thanks so much|thanks in advance|yours(?: sincerely| faithfully| truly)?|take care|warmly|speak soon|talk soon|see you soon|best of luck|good luck|xx?x?|love|cordially|respectfully"
    r"|(?:bien |tres |sinceres? )?cordialement|cdlt|bien a (?:vous|toi)|salutations(?: distinguees)?|sincerement|amicalement|bien amicalement|chaleureusement|merci|merci d'avance|merci a vous|merci encore"
    r"|bonne (?:journee|soiree|semaine|fin de semaine|reception)|bon week-?end|belle (?:journee|soiree)|a bientot|a tres (?:vite|bientot)|au plaisir|bises|biz|respectueusement|a vous lire)"
    r"(?: (?:a vous|a toi|et merci|and thanks|for now|from all of us|encore|to you))?)\s?[,.!]{0,3}$"
)
POLITE_END = re.compile(
    r"^(?:(?:nous|je) vous pri(?:ons|e) (?:d'agreer|de croire|de recevoir)|(?:veuillez|dans l'attente.{0,80}) (?:agreer|recevoir|croire)|veuillez agreer|recevez,|je te prie)"
)
POSTSCRIPT = re.compile(r"^\W{0,2}(?:p\.?\s?s\.?|nb|post-?scriptum)\s?[:.,–-]?\s", re.IGNORECASE)
DIGEST = re.compile(
    r"^\W{0,6}(?:(?:more |other |\d+ )?(?:similar|recommended|related|suggested) (?:jobs|roles|positions|opportunities|openings)|jobs (?:similar|you (?:may|might)|like this|recommended|near you|for you)"
    r"|(?:more|other) (?:jobs|roles|opportunities|openings)\b|people also (?:viewed|applied)|recommended for you|you (?:may|might) also (?:like|be interested)"
    r"|(?:d')?autres (?:offres|opportunites|postes|annonces)\b|(?:ces |des |nos )?(?:offres|annonces|postes|emplois|missions) (?:similaires|recommande|qui pourraient|qui peuvent|a la une|susceptibles)|ces offres"
    r"|vous aimerez aussi|a decouvrir aussi|dans la meme categorie|recommande pour vous|en ce moment sur)"
)
FOOTER = re.compile(
    r"unsubscribe|se desinscrire|desinscri(?:re|ption|vez)|desabonne|se desabonner|manage (?:your |my )?(?:email )?(?:preferences|notifications|subscription|alerts)|gerer (?:vos|mes|les) (?:preferences|notifications|alertes|abonnements)"
    r"|email preferences|notification settings|view (?:this (?:email|message) )?in (?:your |a )?browser|voir (?:la |cette )?version en ligne|afficher dans (?:le|votre) navigateur|version en ligne|read (?:it|this) online"
    r"|(?:you (?:are|have) (?:receiv\w+|been sent)|you're receiving|you receiv\w+|you got) (?:this|these|message|it)|this (?:e-?mail|message) (?:was|is|has been) (?:sent|intended|generated|automatic)|(?:vous|tu) re(?:cevez|cois|vez) (?:ce|cet|cette)|cet e-?mail (?:a ete envoye|vous (?:a ete|est)|est destine)|ce(?:t e-?mail| message| courriel| mail) (?:automatique|est (?:envoye|genere|automatique)|a ete (?:envoye|genere))"
    r"|confidential|privileged|intended (?:solely|only|recipient)|destinataire(?:s)? (?:exclusif|prevu|designe)|a l'attention exclusive|usage exclusif|ses pieces jointes|if you (?:have received|received|are not the intended)|si vous (?:avez recu|n'etes pas le) (?:ce|cet|destinataire)"
    r"|all rights reserved|tous droits reserves|©|registered in england|registered (?:office|company|charity)|siege social|rcs [a-z]|siret|capital (?:social )?de|privacy (?:policy|notice)|politique de confidentialite|terms (?:of (?:service|use)|and conditions)|mentions legales|rgpd|gdpr|donnees personnelles|personal data|equal opportunit|egalite des chances"
    r"|do not reply|ne pas repondre|ne pas y repondre|n'y repondez pas|mailbox is not monitored|unmonitored|pensez a l'environnement|consider the environment|powered by|propulse par|help cent(?:er|re)|centre d'aide|update your profile|please type your reply above"
)
ASKS = re.compile(
    r"\?\s*$|\b(?:pourr(?:iez|ais)|peux-tu|pouvez|merci de|veuillez|nous faut|manque|could you|can you|would you|please (?:send|provide|complete|confirm|find)|we need|your application|votre candidature)\b"
)
LEGAL_WORDS = re.compile(
    r"confidential|intended|destinataire|registered|siege social|rgpd|gdpr|rights reserved|droits reserves|equal opportunit|privacy|monitored"
)
BULLET_SEPARATOR = re.compile(r"^[\s_=*~#.•·|–—-]{3,}$")


@dataclass(frozen=True)
class Cut:
    """`text` is the newest message; `signature` what follows its closing; `quoted` the conversation below."""

    text: str
    signature: str
    quoted: str
    forwarded: bool = False
    forward_sender: str = ""


def _fold_line(line: str) -> str:
    return fold(line.strip())


def _folded(lines: list[str]) -> list[str]:
    return fold_lines([line.strip() for line in lines])


def _is_attribution(folded: list[str], index: int) -> bool:
    """Whether someone "wrote:" what follows, on one line or wrapped over three."""
    line = folded[index]
    if ATTRIBUTION.match(line):
        return True
    if not (ATTRIBUTION_START.match(line) and len(line) < 220):
        return False
    joined = " ".join(part for part in folded[index : index + 3] if part)
    if ATTRIBUTION.match(joined.split(":")[0] + ":" if "wrote" in joined or "a ecrit" in joined else ""):
        return True
    return re.match(r"^\W{0,4}(?:on|le)\s.{4,240}\b(?:wrote|a ecrit)\s?:", joined) is not None


def _history_start(folded: list[str]) -> tuple[int, bool]:
    """Index of the first line of conversation history (or the end), and whether it is a forward."""
    text = "\n".join(folded)
    attributed = any(verb in text for verb in WROTE)
    for index, line in enumerate(folded):
        if not line:
            continue
        if FORWARD.match(line):
            return index, True
        if HISTORY.match(line) or (attributed and _is_attribution(folded, index)):
            return index, False
        if HEADER_FROM.match(line) and sum(bool(HEADER_NEXT.match(other)) for other in folded[index + 1 : index + 7]) >= 2:
            return index, False
    return len(folded), False


def _words(lines: list[str]) -> int:
    return sum(len(line.split()) for line in lines)


def _after_header_block(lines: list[str], folded: list[str], start: int) -> int:
    """Where the body of a forwarded message begins."""
    index = start
    while index < len(lines) and index < start + 15:
        line = folded[index]
        if line and not (FORWARD.match(line) or HISTORY.match(line) or HEADER_FROM.match(line) or HEADER_NEXT.match(line)):
            return index
        index += 1
    return index


def _forward_sender(lines: list[str], folded: list[str], start: int) -> str:
    for index in range(start, min(start + 8, len(lines))):
        if HEADER_FROM.match(folded[index]):
            return lines[index].split(":", 1)[1].strip(" *_")
    return ""


def _without_quotes(lines: list[str]) -> list[str]:
    kept = [line for line in lines if not line.lstrip().startswith(">")]
    return kept if _words(kept) else [line.lstrip("> ") for line in lines]


def _drop_footers(lines: list[str], folded: list[str]) -> list[str]:
    """Without footers, legal notices and the digest of other offers below the message."""
    kept: list[str] = []
    total = max(1, len([line for line in folded if line]))
    seen = 0
    in_legal = False
    for line, low in zip(lines, folded, strict=True):
        seen += bool(low)
        if not low:
            in_legal = False
            kept.append(line)
            continue
        if DIGEST.match(low) and _words(kept) >= 8:
            break
        if FOOTER.search(low) and not (ASKS.search(low) and not in_legal and seen * 4 < total * 3):
            # Under the middle of the mail, nothing after a footer's first line is the message any more.
            if seen * 2 > total and _words(kept) >= 20 and re.search(r"unsubscribe|desinscri|desabonn", low):
                break
            in_legal = bool(LEGAL_WORDS.search(low))
            if len(low) > 160 and not in_legal:
                kept.append(_without_footer_sentences(line))
            continue
        if not in_legal:
            kept.append(line)
    return kept


def _without_footer_sentences(line: str) -> str:
    pieces = re.split(r"(?<=[.!?])\s+", line)
    return " ".join(piece for piece in pieces if not FOOTER.search(_fold_line(piece)))


def _ends_here(folded: list[str], index: int, before: int) -> bool:
    """Whether a message of `before` words closes with this line, and little follows."""
    line = folded[index]
    is_closing = CLOSING.match(line) or PHONE_SIGNATURE.match(line)
    if not is_closing and not (before >= 3 and POLITE_END.match(line)):
        return False
    rest = [other for other in folded[index + 1 :] if other]
    return (before >= 3 or len(rest) <= 4) and _words(rest) <= 90 and len(rest) <= 14


def _split_signature(lines: list[str], folded: list[str]) -> tuple[list[str], list[str]]:
    """The message, and the signature below its closing; a postscript belongs to the message."""
    before = 0
    for index, line in enumerate(folded):
        is_dashes = lines[index].rstrip("\n") in {"-- ", "--"} and before >= 1
        if is_dashes or (line and _ends_here(folded, index, before)):
            tail = lines[index + 1 :]
            scripts = [number for number, text in enumerate(folded[index + 1 :]) if POSTSCRIPT.match(text)]
            kept = lines[: index + (0 if is_dashes else 1)]
            return (kept + tail[scripts[0] :], tail[: scripts[0]]) if scripts else (kept, tail)
        before += len(line.split())
    return lines, []


def cut(text: str, *, relay: bool = False, deep: bool = True) -> Cut:
    """The newest message in `text`. `relay` keeps everything below a "-- " line, as form relays write there."""
    lines = text.split("\n")[:MAX_LINES]
    folded = _folded(lines)
    start, is_forward = _history_start(folded)
    own = _without_quotes(lines[:start]) if start else []
    low = dict(zip(lines, folded, strict=True))  # what stands below was folded already, but for its quotes
    own = [line for line in own if not PHONE_SIGNATURE.match(low.get(line) or _fold_line(line))]
    below = lines[start:]
    if below and (is_forward or not _words(own)) and _words(own) <= FEW_WORDS and deep:
        body = _after_header_block(lines, folded, start)
        if start < body or is_forward or not _words(own):
            unquoted = [re.sub(r"^(?:> ?)+", "", line) for line in lines[body:]]
            inner = cut("\n".join(unquoted), relay=relay, deep=False)
            if _words(inner.text.split("\n")) >= 3:
                intro = "\n".join(own).strip()
                joined = f"{intro}\n\n{inner.text}" if intro else inner.text
                return Cut(joined, inner.signature, inner.quoted, True, _forward_sender(lines, folded, start))
    kept, signature = (own, []) if relay else _split_signature(own, [low.get(line) or _fold_line(line) for line in own])
    kept = _drop_footers(kept, [low.get(line) or _fold_line(line) for line in kept])
    kept = [line for line in kept if not BULLET_SEPARATOR.match(line)]
    if not _words(kept):
        kept = own or lines
    return Cut("\n".join(kept).strip(), "\n".join(signature).strip(), "\n".join(below).strip())
