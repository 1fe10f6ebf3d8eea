"""Places smaller than a state: addresses, postcodes, and institutions and wards that have a name."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from llm_labeler.deid.rules import Rule, RuleRecognizer, compiled
from llm_labeler.deid.words import NO_NAMES, listed, medical_words

_WORD = r"\p{Lu}[\p{L}\p{M}]*(?:['’\-]\p{L}[\p{L}\p{M}]*)*"
_WORDS = rf"(?!(?:Mrs?|Ms|Dr|Prof|Re|From|At|To|In|On|The|Seen)\b)(?:St\.?[ ])?{_WORD}(?:[ ](?:of|and|the|upon|on|&)(?=[ ]\p{{Lu}})|[ ]{_WORD}){{0,5}}?"
_INSTITUTION = (
    r"(?:Hospital(?:s)?|Infirmary|Hospice|Sanatorium|Medical[ ](?:Cent(?:er|re)|Practice|Group|School)|Clinic|Surgery|"
    r"Health[ ](?:Cent(?:er|re)|System|Board)|Healthcare|Practice|Nursing[ ]Home|Care[ ]Home|Residential[ ]Home|"
    r"Rest[ ]Home|Care[ ]Centre|NHS(?:[ ]Foundation)?[ ]Trust|Foundation[ ]Trust|Cancer[ ]Cent(?:er|re)|"
    r"(?:Heart|Eye|Children's)[ ](?:Hospital|Institute|Cent(?:er|re))|Institute|University|College|Academy|"
    r"(?:Primary|High|Secondary|Grammar|Elementary)[ ]School|Pharmacy|Chemist|Prison|Hostel|Shelter|Church|Mosque)"
)
_WAY = (
    r"(?:Road|Rd|Street|St|Avenue|Ave|Lane|Ln|Close|Drive|Dr|Gardens|Gdns|Crescent|Cres|Court|Ct|Way|Place|Pl|Terrace|"
    r"Grove|Square|Sq|Hill|Park|Row|Boulevard|Blvd|Mews|Walk|View|Highway|Hwy|Parkway|Pkwy|Circle|Cir|Trail|Rise|"
    r"Green|Heights|Quay|Wharf|Meadows?|Fields?|Villas|Buildings|House)"
)
_STATE = (
    r"(?:AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|"
    r"OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY)"
)
_POSTCODE = r"[A-Z]{1,2}\d[A-Z\d]?[ ]\d[ABD-HJLNP-UW-Z]{2}"
# Words that make a kind of clinic or ward, not one with a name.
_KINDS = listed("kind_of_place")


def _has_a_name(match: regex.Match[str]) -> bool:
    """Whether one of the words before the kind of house is its own."""
    words = regex.findall(r"[\p{L}\p{M}'’-]+", match["own"].replace("’", "'"))
    return any(_is_own(word) for word in words)


def _is_own(word: str) -> bool:
    plain = word.casefold().removesuffix("'s")
    if len(plain) < 3 or not word[0].isupper():
        return False
    return plain not in _KINDS and plain not in NO_NAMES and plain not in medical_words()


def _is_town(match: regex.Match[str]) -> bool:
    return any(_is_own(word) for word in match["own"].split())


PLACE_RULES = (
    Rule("institution", compiled(rf"\b(?P<id>(?:The[ ])?(?P<own>{_WORDS})[ ](?:{_INSTITUTION})\b(?:,[ ]{_WORD}(?=[.,;\n]))?)"), 0.75, _has_a_name),
    Rule("institution_of", compiled(rf"\b(?P<id>(?:(?:\p{{Lu}}[\p{{L}}]+[ ]){{0,3}})(?:Hospital|Infirmary|University|College|Institute|Clinic)(?:[ ](?:of|at))?[ ](?P<own>{_WORD}(?:[ ]{_WORD})?))\b"), 0.7, _is_town),
    Rule("prison", compiled(rf"\b(?P<id>(?:HMP|HMYOI|YOI)[ ](?P<own>{_WORD}(?:[ ]{_WORD})?))"), 0.8),
    Rule("ward_number", compiled(r"\b(?P<id>(?i:ward|wd)[ ](?:\d{1,3}[A-Za-z]?|[A-Z]\d{0,2}[A-Z]?))\b(?!['’])"), 0.75),
    Rule("ward_name", compiled(rf"\b(?P<id>(?P<own>{_WORD}(?:[ ]{_WORD})?)[ ](?:Ward|Unit|Wing|Suite|Lodge|Court))\b"), 0.6, _has_a_name),
    Rule(
        "address",
        compiled(
            rf"(?P<id>(?:\b(?i:flat|apt|apartment|unit|room|suite)\.?[ ]\#?\w{{1,5}},?[ ])?(?<![\d./])\b\d{{1,5}}[A-Za-z]?,?[ ]"
            rf"(?:{_WORD}[ ]){{1,4}}{_WAY}\b\.?(?:,?[ ](?:(?i:apt|apartment|unit|suite|flat)\.?[ ]|\#)\w{{1,5}}\b)?)"
        ),
        0.85,
    ),
    Rule("address_town", compiled(rf"(?<=\b{_WAY}\.?(?:,[ ]?|[ ]*\n[ ]*))(?P<id>(?P<own>{_WORD}(?:[ ]{_WORD})?))(?=[,.;\n]|[ ]*$)"), 0.6, _is_town),
    Rule("postcode_town", compiled(rf"(?P<id>(?P<own>{_WORD}(?:[ \-]{_WORD})?)\b)(?=,?[ ]*\n?(?:{_POSTCODE}|{_STATE}[ ]\d{{5}})\b)"), 0.65, _is_town),
    Rule("postcode", compiled(rf"(?<![\p{{L}}\p{{N}}])(?P<id>{_POSTCODE})(?![\p{{L}}\p{{N}}])"), 0.85),
    Rule("zip_code", compiled(rf"\b(?P<id>{_STATE},?[ ]\d{{5}}(?:-\d{{4}})?)(?![\d-])"), 0.8),
    Rule(
        "town_said",
        compiled(
            rf"(?<=\b(?i:lives[ ]in|living[ ]in|resides[ ]in|resident[ ]of|resident[ ]in|moved[ ]to|moved[ ]from|born[ ]in|native[ ]of|"
            rf"works[ ]in|comes[ ]from|returned[ ]from|travelled[ ]to|traveled[ ]to|home[ ]in|address[ ]in|town:|city:)[ ])"
            rf"(?P<id>(?P<own>{_WORD}(?:[ ]{_WORD}){{0,2}}))"
        ),
        0.55,
        _is_town,
    ),
    Rule("town_from", compiled(rf"(?<=\b(?:(?:man|woman|lady|gentleman|boy|girl|teacher|farmer|patient),?|is|was|coming|originally)[ ]from[ ])(?P<id>(?P<own>{_WORD}(?:[ ]{_WORD})?))(?!['’])"), 0.45, _is_town),
)  # fmt: skip


def recognizers() -> Iterator[RuleRecognizer]:
    yield RuleRecognizer(kind="location", rules=PLACE_RULES)
