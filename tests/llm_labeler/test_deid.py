"""What the recognisers of identifiers find, and what looks like one and is none."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.identifiers import KINDS
from llm_labeler.backends.presidio import Found, PresidioBackend, apart, load


@pytest.fixture(scope="module")
def finder() -> PresidioBackend:
    return load()


def found(finder: PresidioBackend, text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in finder.find(text)]


def of_kind(finder: PresidioBackend, kind: str, text: str) -> list[str]:
    return [words for given, words in found(finder, text) if given == kind]


# Names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Seen with Mrs Jane Elizabeth Hollis today.", ["Jane Elizabeth Hollis"]),
        ("Dr. A.B. Okonjo to review.", ["A.B. Okonjo"]),
        ("Thank you, Prof van der Meer, for the letter.", ["van der Meer"]),
        ("DR HOLLIS will ring.", ["HOLLIS"]),
        ("Name: Aoife O'Reilly\nAge 44", ["Aoife O'Reilly"]),
        ("Surname: Hollis", ["Hollis"]),
        ("HOLLIS, Jane  MRN 0012345", ["HOLLIS, Jane"]),
        ("Hollis^Jane", ["Hollis^Jane"]),
        ("NOK: Tomás Núñez (son)", ["Tomás Núñez"]),
        ("Her husband Tomás was told.", ["Tomás"]),
        ("Dictated by Jane Hollis, typed by AB", ["Jane Hollis", "AB"]),
        ("cc: Jane Hollis", ["Jane Hollis"]),
        ("D/w Jane Hollis, agrees.", ["Jane Hollis"]),
        ("Discussed with the on-call registrar Dr Hollis.", ["Hollis"]),
        ("Staff Nurse Ngozi Bello RN changed the dressing.", ["Ngozi Bello"]),
        ("Jane Hollis, RN", ["Jane Hollis"]),
        ("Jane Hollis DOB 3/4/51 was seen.", ["Jane Hollis"]),
        ("Yours sincerely,\n\n\nJane Hollis\nConsultant Physician", ["Jane Hollis"]),
        ("Dear Jane,\n", ["Jane"]),
        ("Electronically signed by Jane Hollis, MD", ["Jane Hollis"]),
        ("Signed J.H.", ["J.H."]),
        (
            "Reported by Jane Hollis & Tom Price; copy to Dr Osei and Ann Lee",
            ["Jane Hollis", "Tom Price", "Osei", "Ann Lee"],
        ),
        ("Two children, Ada (4) and Ben (7).", ["Ada", "Ben"]),
        ("Seen with social worker Jane Hollis.", ["Jane Hollis"]),
        ("Mrs Zoë Åkesson-Núñez", ["Zoë Åkesson-Núñez"]),
    ],
)
def test_names_are_found_by_what_stands_around_them(finder: PresidioBackend, text: str, names: list[str]) -> None:
    assert of_kind(finder, "name", text) == names


def test_a_name_found_once_is_found_again_alone_with_an_initial_and_in_capitals(finder: PresidioBackend) -> None:
    text = "Re: Jane Hollis. Jane is well. We know J. Hollis and HOLLIS, but no jane and no Hollisbury."
    assert of_kind(finder, "name", text) == ["Jane Hollis", "Jane", "J. Hollis", "HOLLIS"]


def test_a_name_that_is_a_word_is_found_again_in_the_middle_of_a_sentence_only(finder: PresidioBackend) -> None:
    text = "Mrs Young rang. Young adult clinic next. I think that Young will come. May need ABx."
    assert of_kind(finder, "name", text) == ["Young", "Young"]


@pytest.mark.parametrize(
    "text",
    [
        "Parkinson's disease, Crohn's, Foley catheter in situ, Wells score 4, Glasgow Coma Scale 15, Apgar 8 and 9.",
        "Homans sign negative. Colles fracture. Hartmann's procedure. Virchow node. Kniest dysplasia.",
        "Dr on call informed. Nurse Specialist review. Doctor in clinic. Nurse led clinic.",
        "Mother: Type 2 diabetes. Father: Hypertension. Sister Breast cancer at 40.",
        "Patient: Alert and orientated. Name of drug: Aspirin. Contact: Isolation.",
        "Re: Chest pain. CC: Chest pain. For: Physiotherapy. To: Start Ramipril.",
        "Reviewed by Cardiology. Discussed with Neurosurgery. Seen by Physio and OT. Referred to Orthopaedics.",
        "MR angiogram of the brain. MR BRAIN normal. MS since 2011. Miss no doses.",
        "Nurse and Physio. Consultant Cardiology review. GP Letter sent. The children, two Boys, Adults.",
        "He told Staff that Pain is worse. Called for Help. Signed off as fit.",
        "Kind regards to the team. History of Present Illness. Past Medical History. Plan Discharge.",
    ],
)
def test_what_looks_like_a_name_is_none(finder: PresidioBackend, text: str) -> None:
    assert of_kind(finder, "name", text) == []


def test_a_title_outdoes_an_eponym(finder: PresidioBackend) -> None:
    text = "Mr Parkinson has Parkinson's disease. Dr Foley put the Foley catheter in."
    assert of_kind(finder, "name", text) == ["Parkinson", "Foley"]


# Dates and ages


@pytest.mark.parametrize(
    "day",
    [
        *("12/03/2024", "12.03.24", "12-3-2024", "2024-03-12", "2024/3/12", "3/12/24", "31/12/99", "12/31/1999"),
        *(
            "12 Mar",
            "12 March 2024",
            "12th of March",
            "12-Mar-24",
            "12MAR2024",
            "March 12th",
            "March 12, 2024",
            "Mar 12",
        ),
        *("Tuesday 12 March", "Tue 12/03", "Tues, March 12", "Monday the 3rd", "March 2024", "1st may", "02 JAN 24"),
    ],
)
def test_days_are_found_in_all_spellings(finder: PresidioBackend, day: str) -> None:
    assert found(finder, f"She came {day}, and left.") == [("date", day)]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Seen on 3/12 and again on 04/11.", ["3/12", "04/11"]),
        ("Admitted 4/11 with a fall", ["4/11"]),
        ("CT (14/3): normal", ["14/3"]),
        ("DOB 19510403", ["19510403"]),
        ("It began on March 12. Then it got better.", ["March 12"]),
    ],
)
def test_days_without_a_year_are_found_by_the_words_around_them(
    finder: PresidioBackend, text: str, days: list[str]
) -> None:
    assert of_kind(finder, "date", text) == days


@pytest.mark.parametrize(
    "text",
    [
        "Pain 7/10 at rest, 4/10 later. BP 120/80. GCS 15/15. MMSE 28/30. Power 4/5.",
        "For 3/12. Since 3/52 cough, 2/7 fever. Review in 6/12, bloods 3/12 ago. Seen 3/12 ago.",
        "In 2012 she had 5/12 cores. Born 1951. PSA 3-12, range 0.5-1.2. Ratio 1/2. Score of 3/10 on Monday.",
        "It may 5 days later. They march on. Aspirin 75 mg. May need oxygen. 10 mar ks. Sun exposure. In May.",
        "Version 1.2.3, 45.12.2020, 12/13/14/15, 99/99/2020. T 36.5. C5/6, L4/5. 20/20 vision. FiO2 .5",
    ],
)
def test_what_looks_like_a_day_is_none(finder: PresidioBackend, text: str) -> None:
    assert of_kind(finder, "date", text) == []


@pytest.mark.parametrize(
    ("text", "ages"),
    [
        ("A 92-year-old woman, aged 101, 95 y/o, 90yo, 93F. Age: 97", ["92", "101", "95", "90", "93", "97"]),
        ("An 89-year-old man, aged 45. Temp 98F. T 99 F. SpO2 95. For 90 years. 120 mg. 91 % of", []),
    ],
)
def test_ages_count_from_ninety(finder: PresidioBackend, text: str, ages: list[str]) -> None:
    assert of_kind(finder, "age", text) == ages


# Places


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("Admitted to St Mary's Hospital.", ["St Mary's Hospital"]),
        ("Thornbury General Hospital; Sinai Medical Center", ["Thornbury General Hospital", "Sinai Medical Center"]),
        ("University Hospital Thornbury", ["University Hospital Thornbury"]),
        ("Dr of The Willows Surgery, near Thornbury Health Centre", ["The Willows Surgery", "Thornbury Health Centre"]),
        ("moved to Ward 7B from ward 12", ["Ward 7B", "ward 12"]),
        ("12 Long Acre Road, Thornbury BS35 1AA", ["12 Long Acre Road", "Thornbury", "BS35 1AA"]),
        ("Flat 3, 12a Mill Lane", ["Flat 3, 12a Mill Lane"]),
        ("450 Oak St, Apt 4, Springfield, IL 62704", ["450 Oak St, Apt 4", "Springfield", "IL 62704"]),
        ("He lives in Thornbury alone. She is from Port Talbot.", ["Thornbury", "Port Talbot"]),
    ],
)  # fmt: skip
def test_places_smaller_than_a_state_are_found(finder: PresidioBackend, text: str, places: list[str]) -> None:
    assert of_kind(finder, "location", text) == places


@pytest.mark.parametrize(
    "text",
    [
        "General Surgery review. Cardiac Surgery declined. Fracture Clinic 2/52. Pain Clinic. Hospital day 3.",
        "Intensive Care Unit. Stroke Unit bed. Coronary Care Unit. Surgical Ward. Nursing Home. General Practice.",
        "This Hospital. The Clinic. Open Surgery. 12 Lead ECG. 2 View chest. 500 mg Way too much. 3 Close contacts.",
    ],
)
def test_kinds_of_places_have_no_name(finder: PresidioBackend, text: str) -> None:
    assert of_kind(finder, "location", text) == []


# Ways to reach somebody, and numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tel: 0117 496 0123.", [("contact", "0117 496 0123")]),
        ("mobile 07700 900461", [("contact", "07700 900461")]),
        ("+44 7700 900461", [("contact", "+44 7700 900461")]),
        ("(312) 555-0147, 312-555-0199 ext. 12", [("contact", "(312) 555-0147"), ("contact", "312-555-0199 ext. 12")]),
        ("bleep 4471, ext 22031", [("contact", "4471"), ("contact", "22031")]),
        ("jane.o'reilly@a.nhs.uk, x@y.local", [("contact", "jane.o'reilly@a.nhs.uk"), ("contact", "x@y.local")]),
        ("see https://example.org/p/12?x=1.", [("contact", "https://example.org/p/12?x=1")]),
        ("from 10.12.0.7", [("contact", "10.12.0.7")]),
        ("NHS No 943 476 5919", [("number", "943 476 5919")]),
        ("9434765919", [("number", "9434765919")]),
        ("MRN: A0012345, Hospital number 12-3456", [("number", "A0012345"), ("number", "12-3456")]),
        ("SSN 219-09-9999", [("number", "219-09-9999")]),
        ("GMC 7012345. Account no. 00112233", [("number", "7012345"), ("number", "00112233")]),
        ("Pacemaker S/N PJN712345H", [("number", "PJN712345H")]),
        ("Accession H24-01234", [("number", "H24-01234")]),
        ("NI QQ123456C, AB 12 34 56 C", [("number", "QQ123456C"), ("number", "AB 12 34 56 C")]),
    ],
)  # fmt: skip
def test_numbers_are_found_by_shape_or_by_the_word_before(
    finder: PresidioBackend, text: str, expected: list[tuple[str, str]]
) -> None:
    assert found(finder, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Na 136-145 mmol/L, plt 150-400, Hb 121, WCC 12.4, ferritin 1,240. CK 11400. NT-proBNP 12345 pg/mL.",
        "1234567 copies/mL. Case 3 of 2012. Ref range 135-145. Lot of pain, 5000 units. Model 3.",
        "p.o. b.d. i.e. e.g. approx.at 0.5.mg. 10:30. 2.5 x 3.5 x 1.2 cm. 120/80. ICD I10.9. rs1234567",
    ],
)
def test_what_is_measured_is_no_number_of_a_person(finder: PresidioBackend, text: str) -> None:
    assert found(finder, text) == []


# Places in the text


def test_offsets_are_code_points_behind_any_character(finder: PresidioBackend) -> None:
    for before in (
        "🫀👩🏽‍⚕️ ",
        "ﬁ ",
        unicodedata.normalize("NFD", "naïve Ångström: "),
        "\u200b\u202e\ufeff",
        "𝔘𝔫𝔦 \u00a0\t\n",
    ):
        text = f"{before}Mrs Jane Hollis, 12 March 2024, tel 0117 496 0123 {before}"
        assert found(finder, text) == [
            ("name", "Jane Hollis"),
            ("date", "12 March 2024"),
            ("contact", "0117 496 0123"),
        ]


def test_a_name_keeps_its_combining_marks(finder: PresidioBackend) -> None:
    text = unicodedata.normalize("NFD", "Mrs Zoë Núñez. Núñez rang.")
    assert of_kind(finder, "name", text) == [unicodedata.normalize("NFD", words) for words in ("Zoë Núñez", "Núñez")]


@given(st.text(alphabet=st.sampled_from("Mrs DrJane 0123/-.,\n()@:é\u0301🫀NHS ofMay"), max_size=80))
def test_finds_never_share_a_character_and_lie_in_the_text(finder: PresidioBackend, text: str) -> None:
    end = 0
    for one in finder.find(text):
        assert end <= one.start < one.end <= len(text)
        assert one.kind in KINDS and 0 < one.score <= 1
        assert not text[one.start].isspace() and not text[one.end - 1].isspace()
        end = one.end


def test_what_overlaps_is_one_that_covers_all_of_it() -> None:
    street, name, date = (
        Found(0, 15, "location", 0.8, "a"),
        Found(3, 8, "name", 0.9, "b"),
        Found(13, 18, "date", 0.85, "c"),
    )
    assert apart([date, name, street]) == [Found(0, 18, "location", 0.8, "a")]
    assert apart([Found(0, 3, "name", 0.5, "d"), Found(3, 6, "date", 0.5, "e")]) == [
        Found(0, 3, "name", 0.5, "d"),
        Found(3, 6, "date", 0.5, "e"),
    ]


def test_what_is_the_longest_names_the_kind() -> None:
    assert apart([Found(0, 4, "name", 0.9, "a"), Found(2, 12, "number", 0.5, "b")])[0].kind == "number"
    assert apart([Found(0, 4, "name", 0.4, "a"), Found(0, 4, "date", 0.5, "b")])[0].kind == "date"
