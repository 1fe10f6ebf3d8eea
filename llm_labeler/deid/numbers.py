"""Ways to reach somebody, and numbers that are one person's or thing's, by their shape or the word before them."""

from __future__ import annotations

from collections.abc import Iterator

import regex
from presidio_analyzer import EntityRecognizer
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    IpRecognizer,
    NhsRecognizer,
    PhoneRecognizer,
    UsSsnRecognizer,
)

from llm_labeler.deid.rules import Rule, RuleRecognizer, compiled

# Presidio's own, by what they call their find.
KIND_OF = {
    "PHONE_NUMBER": "contact",
    "IP_ADDRESS": "contact",
    "UK_NHS": "number",
    "US_SSN": "number",
    "CREDIT_CARD": "number",
}
_FREE, _END = r"(?<![\p{L}\p{N}.+-])", r"(?![\p{L}\p{N}])"
_TOP = "(?:com|org|net|edu|gov|info|int|health|nhs|uk|us|eu|ie|ca|au|nz|de|fr|it|es|nl|be|ch|at|se|no|dk|fi|pl|pt|in|io|me|co)"


def _n_digits(match: regex.Match[str]) -> int:
    return sum(character.isdigit() for character in match["id"])


def _is_phone(match: regex.Match[str]) -> bool:
    return 7 <= _n_digits(match) <= 15


CONTACT_RULES = (
    Rule("email", compiled(r"(?P<id>(?<![\w.+-])[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5})(?<![.'-])"), 1.0),
    Rule("web_address", compiled(r"(?P<id>\b(?:https?://|www\d?\.)[^\s<>\"'()]{3,300})(?<![.,;:!?])", ignore_case=True), 0.95),
    Rule(
        "web_domain",
        compiled(r"(?<![\w@./-])(?P<id>[a-z0-9][a-z0-9-]{2,62}(?:\.[a-z0-9-]{2,62}){0,3}\.(?:com|org|net|edu|gov|co\.uk|nhs\.uk|org\.uk|ac\.uk)(?:/[^\s<>\"'()]{0,200})?)(?<![.,;])(?![\w@])"),
        0.7,
    ),
    Rule("phone_with_country", compiled(rf"{_FREE}(?P<id>(?:\+|00)[1-9]\d{{0,2}}(?:[ .()-]{{1,3}}\d{{1,6}}){{2,6}}){_END}"), 0.85, _is_phone),
    Rule("phone_uk", compiled(rf"{_FREE}(?P<id>\(?0[1-37]\d{{2,4}}\)?[ -]{{0,2}}\d{{3,4}}[ -]?\d{{3,4}}|0[1-37]\d{{9}}|\(?02\d\)?[ -]\d{{4}}[ -]\d{{4}}){_END}"), 0.7, lambda match: _n_digits(match) in (10, 11)),
    Rule("phone_us", compiled(rf"{_FREE}(?P<id>(?:1[ .-])?(?:\([2-9]\d\d\)[ ]?|[2-9]\d\d[ .-])[2-9]\d\d[.-]\d{{4}}(?:[ ]?(?:x|ext\.?)[ ]?\d{{1,6}})?){_END}", ignore_case=True), 0.8),
    Rule(
        "phone_said",
        compiled(
            r"\b(?:tel|telephone|phone|ph|mob|mobile|cell|landline|fax|call[ ]?back|contact[ ]no|contact[ ]number|helpline|whatsapp)\b"
            r"(?:[ ]+(?:no|number|is))?[.:#]{0,2}[ ]{0,3}(?P<id>[+(]?\d[\d ().-]{4,18}\d)(?![\p{L}\p{N}])",
            ignore_case=True,
        ),
        0.85,
        lambda match: 5 <= _n_digits(match) <= 15,
    ),
    Rule(
        "extension",
        compiled(r"\b(?:bleep|bleeps|pager|pgr|beeper|ext|extn|extension|dect|vocera)\b(?:[ ]+(?:no|number))?[.:#]{0,2}[ ]{0,2}(?P<id>[#*]?\d{3,7})(?![\p{L}\p{N}])", ignore_case=True),
        0.8,
    ),
    Rule("handle", compiled(r"(?<![\w@./])(?P<id>@[A-Za-z_]\w{3,29})\b(?!\.)"), 0.4),
)  # fmt: skip

_ID = r"(?P<id>[A-Z]{0,5}[-/]?\d[A-Z\d]*(?:[-/. ](?=[A-Z]*\d)[A-Z\d]{1,10}){0,5})(?![\p{L}\p{N}])"
_IS = r"(?:[ ]{0,2}(?:no|number|num|nr|id|code)\b\.?)?[ ]{0,2}[.:#]{0,2}[ \t]{0,3}"


def _is_number(match: regex.Match[str]) -> bool:
    """At least four digits, and no year alone."""
    return _n_digits(match) >= 4 and not regex.fullmatch(r"(?:19|20)\d\d", match["id"])


def _said(name: str, words: str, score: float) -> Rule:
    return Rule(name, compiled(rf"(?<![\p{{L}}])(?i:{words}){_IS}{_ID}"), score, _is_number)


NUMBER_RULES = (
    _said(
        "record_number",
        r"MRN|M\.R\.N\.?|URN|UR[ ]no|NHS|CHI|H&C|PAS|NHI|hosp(?:ital)?[ ](?:no|number|num|id)|unit[ ](?:no|number)|"
        r"(?:patient|pt|client|medical[ ]record|record|chart|case|visit|encounter|episode|study|sample|specimen|lab|order|"
        r"request|accession|referral|document|incident)[ ](?:no|number|num|id|record)|patient[ ]id(?:entifier)?|"
        r"accession|specimen|our[ ]ref|your[ ]ref|ref(?:erence)?|EMR|EPIC",
        0.85,
    ),
    _said(
        "account_number",
        r"(?:bank[ ])?(?:account|acct|a/c)|sort[ ]code|policy|member(?:ship)?|subscriber|beneficiary|medicaid(?:[ ]id)?|"
        r"medicare(?:[ ]id)?|insurance(?:[ ]id)?|claim|group[ ](?:no|number|id)|NI(?:/account)?|national[ ]insurance|"
        r"NINO|SSN|social[ ]security|passport|tax[ ](?:no|number|id)",
        0.85,
    ),
    _said(
        "licence_number",
        r"GMC|NMC|HCPC|GPhC|DEA|NPI|UPIN|licen[cs]e|lic|registration|reg|PIN|driving[ ]licen[cs]e|DL|badge|employee",
        0.8,
    ),
    _said("device_number", r"S/N|s\.n\.|serial(?:[ ](?:no|number))?|device|implant|lot|batch|model|IMEI|UDI|alarm", 0.7),
    Rule("account_by_letters", compiled(rf"{_FREE}(?P<id>[A-CEGHJ-PR-TW-Z]{{2}}[ ]?\d\d[ ]?\d\d[ ]?\d\d[ ]?[A-D]){_END}"), 0.8),
    Rule("social_security", compiled(rf"{_FREE}(?P<id>(?!000|666|9)\d{{3}}-(?!00)\d\d-(?!0000)\d{{4}}){_END}"), 0.8),
)  # fmt: skip


def recognizers() -> Iterator[EntityRecognizer]:
    """Ours, and those of Presidio that notes have use for."""
    yield RuleRecognizer(kind="contact", rules=CONTACT_RULES)
    yield RuleRecognizer(kind="number", rules=NUMBER_RULES)
    yield PhoneRecognizer(supported_regions=("GB", "US"))
    yield IpRecognizer()
    yield NhsRecognizer()
    yield UsSsnRecognizer()
    yield CreditCardRecognizer()
