"""Patterns of the rule backend: what has a form rather than a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from llm_labeler.lexicon import Match, stop_terms

_NUMBER = r"(?:\d{1,7}(?:[.,]\d{1,4}){0,2}|[\u00bc\u00bd\u00be])(?:\s?/\s?\d{1,2}(?![\d/]))?"
_AMOUNT = rf"{_NUMBER}(?:\s?(?:-|\u2013|to|x|\u00d7|\*)\s?{_NUMBER})?"
_WORD_AMOUNT = r"(?:one|two|three|four|half|one-half|half a|a)"
_MASS = (
    r"(?:mg|mcg|\u00b5g|\u03bcg|ug|micrograms?|milligrams?|grams?|gm?|ng(?=/kg)|mEq|mmol|MU|IU|[Uu]nits?|U"
    r"|[Mm]illion units|Gy|cGy)"
)
_VOLUME = r"(?:mL|ml|cc|L|l|lit(?:er|re)s?|%)"
_FORM = (
    r"(?:tab(?:let)?s?|cap(?:sule)?s?|puffs?|sprays?|drops?|gtts?|patch(?:es)?|suppositor(?:y|ies)|vials?|ampoules?"
    r"|sachets?|lozenges?|inhalations?|nebs?|pills?)"
)
_PER = (
    r"(?:\s?/\s?|\s?per\s)(?:kg|m2|m\u00b2|d(?:ay)?|24 ?h|h(?:r|our)?|min(?:ute)?|dose|w(?:ee)?k|month|tab(?:let)?"
    r"|\d{1,3}(?:\.\d)?\s?m[Ll])\b"
)
# Units of results, not of doses: 13.1 g/dL, 37.7 mg/L, 5 ng/mL.
_NO_RESULT = (
    r"(?!\s?/\s?(?:d[lL]|[lL]\b|100|mmol|mol|g\b|\u00b5[lL]|\u03bc[lL]|u[lL]|mm|cu|hpf|HPF|cm|m[lL]\b)|\w"
    r"|\s?\u00d7|\s?x\s?10)"
)
STRENGTH = rf"{_AMOUNT}(?:\s|-)?{_MASS}(?:{_PER}){{0,2}}{_NO_RESULT}(?:\s?/\s?{_NUMBER}\s?{_MASS}{_NO_RESULT})?"
CONCENTRATION = rf"{_NUMBER}\s?(?:mg|mcg|\u00b5g|\u03bcg|g|[Uu]nits?)\s?/\s?(?:m[lL]\b|\d{{1,3}}\s?m[lL]\b)"
VOLUME = rf"{_AMOUNT}\s?{_VOLUME}(?:{_PER}){{0,2}}(?!\w|\s?/)"
FORM = rf"(?:{_AMOUNT}|{_WORD_AMOUNT})\s{_FORM}\b"
ROUTE = (
    r"(?:p\.?o\.?|PO|i\.v\.|IV|i\.m\.|IM|s\.c\.|SC|SQ|sc|subq|SubQ|s/c|PR|p\.r\.|SL|NG|PEG|INH|inh|neb|topical(?:ly)?"
    r"|oral(?:ly)?|intravenous(?:ly)?|intramuscular(?:ly)?|subcutaneous(?:ly)?|sublingual(?:ly)?|rectally"
    r"|intranasal(?:ly)?"
    r"|intrathecal(?:ly)?|inhaled|nebuli[sz]ed|by mouth|via NG tube|transdermal(?:ly)?)(?!\w)"
)
ROUTE_ALONE = (
    r"(?:p\.o\.|PO\b|i\.v\.|IV\b|i\.m\.|s\.c\.|intravenous(?:ly)?\b|intramuscular(?:ly)?\b|subcutaneously\b"
    r"|sublingual(?:ly)?\b"
    r"|intrathecal(?:ly)?\b|orally\b|by mouth\b|topical(?:ly)?\b|[Oo]ral(?= (?:[a-z]+(?:one|ine|ol|in|ide|ate|am"
    r"|il)|antibiotics"
    r"|steroids?|corticosteroids?|therapy|intake)\b))"
)
_LATIN = (
    r"(?:(?:b\.i\.d|t\.i\.d|q\.i\.d|q\.d|q\.o\.d|q\.h\.s|h\.s|p\.r\.n|t\.d\.s|q\.d\.s|b\.d|o\.d|o\.m|o\.n)\b\.?"
    r"|(?:bid|tid|qid|qd|qod|qhs|qam|qpm|prn|tds|qds|bd|od|nocte|mane|BID|TID|QID|QD|QOD|QHS|HS|QAM|QPM|PRN|TDS"
    r"|QDS)\b)"
)
_COUNT = (
    r"(?:once|twice|thrice|(?:one|two|three|four|five|six|\d{1,2})(?:\s?(?:-|\u2013|to)\s?\d)?\s(?:times|x)"
    r"|\d\s?x|x\s?\d)"
)
_PERIOD = (
    r"(?:an?\s|per\s|each\s|every\s|/\s?)(?:day|week|month|night|hour|morning|evening|d\b|wk\b)|daily|weekly"
    r"|monthly|nightly"
)
_INTERVAL = r"(?:h|hr|hrs|hours?|hourly|hrly|min|minutes|d|days?|w|wk|weeks?|months?)\b"
FREQUENCY = (
    rf"(?:{_LATIN}"
    rf"|(?:q|Q)\.?\s?\d{{1,2}}(?:\s?[-\u2013]\s?\d{{1,2}})?\s?{_INTERVAL}"
    rf"|{_COUNT}[\s-](?:{_PERIOD})|once daily|twice daily"
    rf"|every\s(?:other\s|(?:\d{{1,2}}(?:\s?(?:-|\u2013|to|or)\s?\d{{1,2}})?|two|three|four|six|eight|twelve)\s?)?"
    r"(?:hours?|days?|weeks?|months?|hrs?|h|day|morning|evening|night|minutes)\b"
    r"|as (?:needed|required)|at bedtime|before bed|with meals|before meals|after meals)"
)
_BARE_FREQUENCY = (
    r"(?:\d{1,2}[ -](?:hrly|hourly)|in the morning|at night|once(?: yearly)?|daily|weekly|monthly|nightly|hourly"
    r"|three-weekly|twice|stat|STAT|BD|OD|om|on(?=[.,;)]|$))\b"
)
_START = r"(?<![\w.,/])"

# Each Dosage pattern with its kind. What stands side by side is one span: "500 mg PO bid prn".
_DOSAGE = tuple(
    (kind, re.compile(_START + pattern))
    for kind, pattern in (
        ("dose_strength", rf"(?:{CONCENTRATION}|{STRENGTH})"),
        ("dose_form", FORM),
        ("dose_volume", VOLUME),
        ("dose_frequency", FREQUENCY),
        ("dose_route", ROUTE_ALONE),
        ("dose_qualifier", r"(?:[Hh]igh|[Ll]ow|[Mm]aintenance|[Ll]oading|[Ss]ingle)[- ]doses?\b"),
    )
)
_DURATION = (
    r"(?:for \d{1,3} (?:more )?(?:days?|weeks?|months?|years?|doses?)\b|over \d{1,3} ?(?:h|hrs?|hours?|min|minutes)\b"
    r"|[x\u00d7] ?\d{1,2}(?: ?(?:d|days|doses))?\b)"
)
_BESIDE = re.compile(
    rf"[ \n]?,?[ \n]?(?:then |\+ )?(?:{STRENGTH}|{FORM}|{VOLUME}|{ROUTE}|{FREQUENCY}|{_BARE_FREQUENCY}|{_DURATION})"
)
# Volumes that are measured rather than given.
_MEASURED = re.compile(
    r"(?:output|loss|residual|drain\w*|volume|scan|EBL|lost|passed|aspirat\w+|collection|capacity|SpO2.{0,3}"
    r"|sats?|saturation"
    r"|hematocrit|Hct|EF|fraction|confidence|stenosis|of (?:predicted|the)|about|by|approximately)\W{0,3}(?:of\s"
    r"|was\s|is\s|at\s|~)?$",
    re.IGNORECASE,
)

_WORD_FORMS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    (
        "Problem",
        "problem_ending",
        re.compile(
            r"\b[A-Za-z]{2,}(?:itis|itides|[ae]mia|uria|algia|algias|opathy|opathies|omata|omas?|o[sz]is|oses"
            r"|ectasis|ectasia"
            r"|megaly|penia|plegia|paresis|pn(?:o)?ea|rrh(?:o)?ea|rrhage|rrhagia|phagia|phasia|sclerosis|philia"
            r"|cytosis)\b"
        ),
    ),
    (
        "Procedure",
        "procedure_ending",
        re.compile(
            r"\b[A-Za-z]{2,}(?:ectomy|ectomies|plasty|plasties|ostomy|ostomies|otomy|otomies|centesis|desis|pexy"
            r"|rrhaphy"
            r"|lithotripsy)\b"
        ),
    ),
    (
        "Test",
        "test_ending",
        re.compile(r"\b[A-Za-z]{3,}(?:scopy|scopic examination|graphy|gram|metry|manometry|opsy|titer|titers)\b"),
    ),
    (
        "Medication",
        "drug_ending",
        re.compile(
            r"\b[A-Za-z]{3,}(?:mab|tinib|ciclib|pril|sartan|statin|cillin|mycin|cycline|conazole|prazole|olol"
            r"|floxacin"
            r"|parin|gliptin|gliflozin|glutide|triptan|setron|dronate|azepam|caine|prost)\b"
        ),
    ),
)
_SITE_HEAD = re.compile(
    r"[- ](?:pain|tenderness|swelling|(?:o)?edema|effusions?|lesions?|mass(?:es)?|tumou?rs?|nodules?|cancer"
    r"|carcinoma|sarcoma"
    r"|fractures?|injur(?:y|ies)|infection|abscess|ulcers?|stenosis|obstruction|dysfunction|hypertrophy|dilatation"
    r"|enlargement|thickening|thrombosis|thrombus|failure|insufficiency|disease|discomfort|weakness|numbness"
    r"|bleed(?:ing)?"
    r"|ha?emorrhage|ischemia|infarct(?:ion|s)?|aneurysms?|dissection|rupture|perforation|cysts?|polyps?|metastas[ie]s"
    r"|atrophy|stiffness|wounds?|rash|drop|distension|distention|regurgitation|murmur|hypertension|embolism|fibrosis"
    r"|calcifications?|collapse|deformity|defects?|malformations?|syndrome|toxicity|involvement|lymphadenopathy)\b"
)
_VERTEBRAL_LEVEL = re.compile(r"\b[CTL]\d{1,2}/(?:[LS]?\d{1,2})\b")
_MODIFIER = re.compile(
    r"(?<![\w-])(?:(?:acute on chronic|acute|chronic|subacute|severe|mild|mildly|moderate|moderately|worsening"
    r"|recurrent|intermittent"
    r"|persistent|progressive|new|new-onset|old|small|large|massive|bilateral|unilateral|left|right|L|R"
    r"|left-sided|right-sided"
    r"|diffuse|focal|generali[sz]ed|locali[sz]ed|early|sharp|dull|burning|crampy|colicky|pleuritic|exertional"
    r"|sudden|residual"
    r"|trivial|minimal|marked|resting|increasing|painful|itchy|widespread|metastatic|advanced|end-stage"
    r"|post-?operative"
    r"|perforated|displaced|comminuted|unstable|active|massive|extensive|occasional|frequent|transient|central"
    r"|peripheral)[ -]){1,3}$",
    re.IGNORECASE,
)
_RELATION = re.compile(r"[ \n](?:of|in|on|over|to|at)[ \n](?:(?:the|his|her|their|my|both)[ \n])?")
_STAGE = re.compile(r" (?:stage|grade|class|type) (?:\d[ab]?|I{1,3}V?|IV)\b")
_CHANGED = re.compile(
    r"(?<!\w)(?:raised|elevated|low|reduced|increased|high|decreased|abnormal|positive|deranged|impaired|falling"
    r"|rising) $",
    re.IGNORECASE,
)
_SIDE = re.compile(
    r"(?:(?:[Ll]eft|[Rr]ight|[Bb]ilateral|[Bb]oth|[Uu]pper|[Ll]ower|[Dd]istal|[Pp]roximal|[Aa]nterior"
    r"|[Pp]osterior|[Mm]edial"
    r"|[Ll]ateral|[Ii]nferior|[Ss]uperior|L|R)[ -]){1,2}$"
)
_OTHERS = (_BESIDE, _MEASURED, _SITE_HEAD, _SIDE, _VERTEBRAL_LEVEL, _MODIFIER, _RELATION, _STAGE, _CHANGED)
PATTERN_TEXTS = tuple(p.pattern for p in (*(p for _, p in _DOSAGE), *(p for *_, p in _WORD_FORMS), *_OTHERS))


def dosages(text: str) -> Iterator[Match]:
    """Strengths, forms, volumes, routes and frequencies; parts side by side are one match, of the first part's kind."""
    reached = 0
    firsts = sorted(
        (match.start(), -match.end(), kind)
        for kind, pattern in _DOSAGE
        for match in pattern.finditer(text)
        if kind != "dose_volume" or not _MEASURED.search(text, max(0, match.start() - 24), match.start())
    )
    for start, negative_end, kind in firsts:
        if start < reached:
            continue
        end, n_parts = -negative_end, 1
        while (beside := _BESIDE.match(text, end)) is not None and beside.end() > end:
            end, n_parts = beside.end(), n_parts + 1
        reached = end
        yield Match(start, end, "Dosage", kind if n_parts == 1 else "dose_phrase")


def word_forms(text: str) -> Iterator[Match]:
    """Words that their ending tells: -itis, -ectomy, -graphy, -pril."""
    stop = stop_terms("ending_stop")
    for label, kind, pattern in _WORD_FORMS:
        for match in pattern.finditer(text):
            if len(match[0]) >= 6 and match[0].lower() not in stop:
                yield Match(match.start(), match.end(), label, kind)


def sited(text: str, matches: Iterable[Match]) -> Iterator[Match]:
    """Of Anatomy matches: the same with its side ("left knee"), and the problem at that site ("left knee pain")."""
    for match in matches:
        if match.label != "Anatomy":
            continue
        start = match.start
        side = _SIDE.search(text, max(0, start - 20), start)
        if side and (side.start() == 0 or not text[side.start() - 1].isalnum()):
            start = side.start()
            yield Match(start, match.end, "Anatomy", match.kind)
        head = _SITE_HEAD.match(text, match.end)
        if head:
            yield Match(start, head.end(), "Problem", "problem_site")


def levels(text: str) -> Iterator[Match]:
    """Vertebral levels such as L4/5."""
    for match in _VERTEBRAL_LEVEL.finditer(text):
        yield Match(match.start(), match.end(), "Anatomy", "anatomy_abbreviation")


def changed_results(text: str, matches: Iterable[Match]) -> Iterator[Match]:
    """The problem that a test is said to be abnormal: "raised CRP"."""
    for match in matches:
        if match.label == "Test":
            change = _CHANGED.search(text, max(0, match.start - 12), match.start)
            if change:
                yield Match(change.start(), match.end, "Problem", "problem_result")


def widened(text: str, problem: Match, anatomy_ends: Mapping[int, int]) -> Match:
    """A Problem with severity, course and side before it, and site or stage behind it.

    `anatomy_ends` gives for the start of each Anatomy match its end.
    """
    start, end = problem.start, problem.end
    before = _MODIFIER.search(text, max(0, start - 48), start)
    if before:
        start = before.start()
    stage = _STAGE.match(text, end)
    if stage:
        end = stage.end()
    relation = _RELATION.match(text, end)
    if relation and relation.end() in anatomy_ends:
        end = anatomy_ends[relation.end()]
    return Match(start, end, problem.label, problem.kind)
