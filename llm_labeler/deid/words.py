"""Words that stand before names, and words that look like names or are both."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from llm_labeler import lexicon


def listed(name: str) -> frozenset[str]:
    """One of the lists of `words.json`, which hold no person's name but those that are words or eponyms."""
    lists: dict[str, list[str]] = json.loads(
        resources.files(__package__).joinpath("words.json").read_text(encoding="utf-8")
    )
    return frozenset(lists[name])


MONTHS = (
    ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",), ("june", "jun"),
    ("july", "jul"), ("august", "aug"), ("september", "sept", "sep"), ("october", "oct"), ("november", "nov"),
    ("december", "dec"),
)  # fmt: skip
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT_DAYS = ("mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun")

# Never a name, whatever stands before it: headings, roles, words that sentences and lines begin with.
NO_NAMES = listed("no_name") | {name for names in MONTHS for name in names} | set(DAYS) | set(_SHORT_DAYS)

# Names that are words as well: elsewhere in the note they count in the middle of a sentence only.
WORDS_AS_WELL = listed("word_as_well")

# People whom findings, tests and things are named by.
EPONYMS = listed("eponym")
# What is called by an eponym stands behind it.
NAMED_BY = (
    r"(?:disease|syndrome|sign|signs|test|tests|score|scale|criteria|criterion|classification|grade|stage|type|class|"
    r"phenomenon|palsy|paralysis|lymphoma|sarcoma|tumou?r|cyst|fracture|procedure|operation|repair|catheter|drain|tube|"
    r"line|splint|collar|bandage|forceps|needle|ulcer|o?esophagus|duct|gland|tendon|node|nodes|nodules?|bodies|body|"
    r"triad|tetralogy|reflex|law|rule|formula|method|man[oe]euvre|man[oe]uver|position|stain|agar|agitation|coma|"
    r"index|chart|contracture|contractures|hernia|chorea|dementia|encephalopathy|thyroiditis|arteritis|granulomatosis|"
    r"ataxia|atrophy|dystrophy|dysplasia|anaemia|anemia|disorder|carcinoma|adenoma|virus|fever|"
    r"anomaly|malformation|effect|response|solution|lactate|stockings?|gait|cells?|space|"
    r"spaces|joint|foot|hand|elbow|palsies|pouch|diverticulum|incision|approach|block|airway|mask|monitor|probe|"
    r"questionnaire|inventory|prognostic|light|lamp|filter|ring|rings|plaque|lines?|rings?|spots?|stoma|rash|et)\b"
)

TITLES = (
    r"(?:Mrs|Ms|Mr|Miss|Mx|Dr|Drs|Prof|Professor|Doctor|Sir|Dame|Revd?|Reverend|Nurse|Matron|Capt|Captain|Sgt|S/N|CPN)"
)
RELATIVES = (
    r"(?:wife|husband|spouse|partner|fianc[ée]e?|girlfriend|boyfriend|son|daughter|mother|father|mum|mom|dad|brother|"
    r"sister|sibling|twin|uncle|aunt|auntie|nephew|niece|cousin|grandson|granddaughter|grandmother|grandfather|"
    r"(?:step|foster|grand)?-?(?:mother|father|son|daughter)|(?:mother|father|son|daughter|brother|sister)-in-law|"
    r"friend|neighbou?r|carer|caregiver|guardian|landlord|landlady|employer|roommate|housemate|flatmate)"
)
CREDENTIALS = (
    r"(?:MD|DO|MBBS|MBChB|RN|LPN|NP|FNP|ARNP|CRNA|CNM|PA(?:-C)?|LCSW|LICSW|MSW|PhD|PharmD|DPT|PT|OT|SLP|RD|DDS|DMD|"
    r"FRCS|FRCP|MRCP|FRCA|FACS|FACC|FY ?[12]|F[12]|ST ?\d|CT ?\d|SHO|SpR|StR|PGY-? ?\d|CNS|ANP|HCA|SALT|consultant|"
    r"registrar|specialist nurse|staff nurse|social worker|physiotherapist|pharmacist|midwife|paramedic)\b"
)


@cache
def medical_words() -> frozenset[str]:
    """The single words of our own term lists: seldom a name where little speaks for one."""
    found: set[str] = set()
    for name in lexicon.LIST_NAMES:
        listed = json.loads(resources.files(lexicon).joinpath(f"{name}.json").read_text(encoding="utf-8"))
        for terms in listed["kinds"].values():
            found.update(word.lower() for term in terms for word in term.replace("-", " ").split() if word.isalpha())
    return frozenset(found)
