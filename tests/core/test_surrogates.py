from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.core.identifiers import KINDS
from annotator.core.spans import Span
from annotator.core.surrogate_forms import is_checked
from annotator.core.surrogates import (
    LONGEST_SHIFT,
    PLACEHOLDERS,
    Identifier,
    Surrogates,
    deidentified,
    leftover_pattern,
    n_leftovers,
)

KEY = b"a key of thirty-two bytes, or so"
NAMES = (
    *("Mrs Jane Carter", "Carter", "CARTER, JANE", "J. Carter", "jane", "Dr. Wu", "Maria Lopez-Garcia"),
    *("Carter's", "O’Brien", "John Q. Smith, MD", "JC"),
)
LETTERS = st.text(alphabet="ab Cé🤒👩\u200d⚕️\u0301\n12-./:,é中", min_size=1, max_size=60)


def surrogates(*known: tuple[str, str], patient: str = "p1", key: bytes = KEY, **fields: bool) -> Surrogates:
    return Surrogates(key=key, patient=patient, known=known, **fields)


def names(patient: str = "p1", key: bytes = KEY) -> dict[str, str]:
    """What stands for each of NAMES."""
    found = surrogates(*(("name", name) for name in NAMES), patient=patient, key=key)
    return {name: found.of("name", name) for name in NAMES}


def dates(*known: str, patient: str = "p1", **fields: bool) -> Surrogates:
    return surrogates(*(("date", one) for one in known), patient=patient, **fields)


def spans_of(text: str, draw: st.DataObject, n: int) -> list[Span]:
    """Up to `n` spans of the text, some in two pieces."""
    edges = st.lists(st.integers(0, len(text)), min_size=2, max_size=4, unique=True).map(sorted)
    found = []
    for points in draw.draw(st.lists(edges, max_size=n)):
        pairs = [(points[0], points[1])] + ([(points[2], points[3])] if len(points) == 4 else [])
        found.append(Span(tuple(pairs)))
    return found


def in_order(part: str, whole: str) -> bool:
    """Whether the characters of `part` stand in `whole` one behind another."""
    characters = iter(whole)
    return all(character in characters for character in part)


@given(data=st.data(), text=LETTERS)
@settings(max_examples=300)
def test_spans_are_moved_along_whatever_is_replaced(data: st.DataObject, text: str) -> None:
    places, spans = spans_of(text, data, 4), spans_of(text, data, 4)
    identifiers = [Identifier(place, data.draw(st.sampled_from(list(KINDS)))) for place in places]
    known = [(one.kind, text[start:end]) for one in identifiers for start, end in one.span.fragments]
    found = deidentified(text=text, identifiers=identifiers, spans=spans, surrogates=surrogates(*known))
    covered = {at for place in places for start, end in place.fragments for at in range(start, end)}
    assert len(found.spans) == len(spans)
    assert in_order("".join(text[at] for at in range(len(text)) if at not in covered), found.text)
    for before, after in zip(spans, found.spans, strict=True):
        said = after.surface(found.text)  # raises where it ends beyond the text
        inside = [at for start, end in before.fragments for at in range(start, end)]
        assert in_order("".join(text[at] for at in inside if at not in covered), said)
        if not covered & set(inside):
            assert said == before.surface(text)


@given(data=st.data(), text=LETTERS)
def test_a_span_that_is_an_identifier_is_its_surrogate(data: st.DataObject, text: str) -> None:
    points = data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2, unique=True).map(sorted))
    place = Span.of(*points)
    surface = place.surface(text)
    kind = data.draw(st.sampled_from(list(KINDS)))
    if surface.strip() != surface:
        return
    made = surrogates((kind, surface))
    found = deidentified(text=text, identifiers=[Identifier(place, kind)], spans=[place], surrogates=made)
    assert found.spans[0].surface(found.text) == made.of(kind, surface)
    assert (found.n_inside, found.n_widened) == (0, 0)
    assert found.replaced == {kind: 1}


def test_a_span_in_an_identifier_is_all_of_it_and_one_across_its_edge_is_widened() -> None:
    text = "Seen by Dr Jane Carter today, no fever."
    name = Span.of(text.index("Jane"), text.index(" today"))
    first, across, beside = Span.of(11, 15), Span.of(16, 28), Span.of(text.index("fever"), text.index("."))
    found = deidentified(
        text=text,
        identifiers=[Identifier(name, "name")],
        spans=[first, across, beside, name],
        surrogates=surrogates(("name", "Jane Carter")),
    )
    inside, wide, fever, whole = (span.surface(found.text) for span in found.spans)
    assert inside == whole == surrogates(("name", "Jane Carter")).of("name", "Jane Carter")
    assert (wide, fever) == (f"{whole} today", "fever")
    assert (found.n_inside, found.n_widened) == (1, 1)


def test_pieces_in_one_identifier_become_one() -> None:
    text = "Carter, Jane."
    span = Span(((0, 6), (8, 12)))
    found = deidentified(
        text=text,
        identifiers=[Identifier(Span.of(0, 12), "name")],
        spans=[span],
        surrogates=surrogates(("name", "Carter, Jane")),
    )
    assert found.spans == (Span.of(0, len(found.text) - 1),)


def test_identifiers_that_overlap_are_one_of_the_longest_kind() -> None:
    text = "mail jane.carter@clinic.example now"
    identifiers = [Identifier(Span.of(5, 16), "name"), Identifier(Span.of(5, 31), "contact")]
    found = deidentified(
        text=text, identifiers=identifiers, spans=[], surrogates=surrogates(("contact", text[5:31]), ("name", "jane"))
    )
    assert found.replaced == {"contact": 1}
    assert found.text.startswith("mail person") and found.text.endswith("@example.org now")


def test_a_date_takes_its_weekday_along() -> None:
    text = "Admitted on Tuesday, 12 March 2019 (Tue) with fever."
    at = text.index("12")
    made = dates("12 March 2019")
    found = deidentified(text=text, identifiers=[Identifier(Span.of(at, at + 13), "date")], spans=[], surrogates=made)
    day = date(2019, 3, 12) + timedelta(days=made.days)
    assert found.text == f"Admitted on {day:%A}, {day.day} {day:%B %Y} ({day:%a}) with fever."


def test_a_name_is_one_person_in_every_form() -> None:
    found = names()
    title, given_name, family = found["Mrs Jane Carter"].split()
    assert title == "Mrs"
    assert found["Carter"] == family
    assert found["CARTER, JANE"] == f"{family}, {given_name}".upper()
    assert found["J. Carter"] == f"{given_name[0]}. {family}"
    assert found["jane"] == given_name.lower()
    assert found["Carter's"] == f"{family}'s"
    assert found["John Q. Smith, MD"].endswith(", MD")
    assert len({name.casefold() for name in found.values()}) == len(found)


def test_no_part_of_a_name_stays() -> None:
    words = {"jane", "carter", "wu", "maria", "lopez", "garcia", "brien", "john", "smith"}
    for surrogate in names().values():
        assert not words & set(surrogate.casefold().replace("-", " ").replace(",", " ").replace("’", " ").split())


def test_a_patient_keeps_surrogates_and_others_have_their_own() -> None:
    assert names() == names()
    assert names(patient="p2") != names()
    assert names(key=b"another") != names()
    days = {surrogates(patient=f"p{number}").days for number in range(200)}
    assert len(days) > 100
    assert 0 not in days
    assert min(days) >= -LONGEST_SHIFT and max(days) <= LONGEST_SHIFT


@given(st.lists(st.dates(date(1960, 1, 1), date(2048, 12, 31)), min_size=2, max_size=5), st.integers(0, 50))
def test_days_between_dates_are_kept(days: list[date], patient: int) -> None:
    made = dates(*(f"{day:%d/%m/%Y}" for day in days), patient=str(patient), is_day_first=True)
    for form in ("%Y-%m-%d", "%d.%m.%Y", "%-d %B %Y", "%d-%b-%y", "%Y%m%d"):
        moved = [made.of("date", day.strftime(form)) for day in days]
        assert moved == [(day + timedelta(days=made.days)).strftime(form) for day in days]


@pytest.mark.parametrize(
    ("given_date", "wanted"),
    [
        ("3/4/2019", "4/13/2019"),
        ("03/04/19", "04/13/19"),
        ("13/4/2019", "23/5/2019"),
        ("2019-03-12T10:30:00Z", "2019-04-21T10:30:00Z"),
        ("March 12, 2019", "April 21, 2019"),
        ("12th of March, 2019", "21st of April, 2019"),
        ("MAR. 12", "APR. 21"),
        ("Sept 3rd", "Oct 13th"),
        ("12 March '19", "21 April '19"),
        ("3/12", "4/21"),
        ("March 2019", "April 2019"),
        ("03/2019", "04/2019"),
        ("Tuesday, 12 March 2019", "Sunday, 21 April 2019"),
        ("3/12/2019 - 3/14/2019", "4/21/2019 - 4/23/2019"),
        ("DOB: 1/2/1940", "DOB: 2/11/1940"),
        ("29 Feb", "9 Apr"),
        ("12-14 March 2019", "[DATE]"),
        ("March 12-14, 2019", "[DATE]"),
        ("Christmas 2018", "[DATE]"),
        ("31/31/2019", "[DATE]"),
        ("the day of the flood", "[DATE]"),
    ],
)
def test_a_date_keeps_its_form_and_what_is_not_understood_becomes_a_word(given_date: str, wanted: str) -> None:
    patient = next(str(n) for n in range(5000) if surrogates(patient=str(n)).days == 40)
    assert dates("1/15/2019", given_date, patient=patient).of("date", given_date) == wanted


@pytest.mark.parametrize(
    ("number", "form"),
    [("MRN: 12345678", r"MRN: \d{8}"), ("943 476 5919", r"\d{3} \d{3} \d{4}"), ("AB-12x", r"[A-Z]{2}-\d{2}[a-z]")],
)
def test_a_number_keeps_its_form(number: str, form: str) -> None:
    found = surrogates(("number", number)).of("number", number)
    assert re.fullmatch(form, found) and found != number


def test_a_date_that_tells_an_age_over_89_becomes_a_word() -> None:
    made = dates("4 May 2019", "2/3/1929", "2/3/1930", "1929")
    assert made.of("date", "2/3/1929") == made.of("date", "1929") == "[DATE]"
    assert re.fullmatch(r"\d+/\d+/19(29|30|31)", made.of("date", "2/3/1930"))


def test_a_number_is_the_same_however_it_is_written() -> None:
    made = surrogates(("number", "943 476 5919"))
    assert made.of("number", "943 476 5919").replace(" ", "") == made.of("number", "NHS 9434765919").removeprefix(
        "NHS "
    )


@given(st.from_regex(r"[0-9]{8,16}", fullmatch=True))
def test_no_number_has_a_check_digit_that_is_right(number: str) -> None:
    assert not is_checked(surrogates(("number", number)).of("number", number))


def test_the_check_is_that_of_real_numbers() -> None:
    assert is_checked("9434765919") and is_checked("4111111111111111") and is_checked("1234567893")
    assert not is_checked("9434765918")


@pytest.mark.parametrize(
    ("contact", "form"),
    [
        ("jane.carter@clinic.com", r"person\d{4}@example\.org"),
        ("(617) 555-2368", r"\([2-9]\d{2}\) 555-01\d{2}"),
        ("+1 617 555 2368", r"\+1 [2-9]\d{2} 555 01\d{2}"),
        ("07911 123456", r"07700 900\d{3}"),
        ("+44 20 7946 1234", r"\+44 16 3296 0\d{3}"),
        ("tel. 555-2368", r"tel\. 555-01\d{2}"),
        ("+49 30 123456", r"\[CONTACT\]"),
        ("https://clinic.com/jane", r"www\.example\.org/\d{4}"),
        ("ask for Jane", r"\[CONTACT\]"),
    ],
)
def test_ways_to_reach_somebody_lead_nowhere(contact: str, form: str) -> None:
    assert re.fullmatch(form, surrogates(("contact", contact)).of("contact", contact))


def test_places_keep_what_kind_of_place_they_are() -> None:
    address = "12 Oak Street, Boston, MA 02139"
    made = surrogates(("location", address), ("location", "Boston"))
    found = made.of("location", address)
    assert re.fullmatch(r"\d+ [A-Z][a-z]+ Street, [A-Z][a-z]+, MA 000\d{2}", found)
    assert found.split(", ")[1] == made.of("location", "Boston")
    assert re.fullmatch(r"[A-Z][a-z]+ General Hospital", made.of("location", "Massachusetts General Hospital"))
    assert made.of("location", "SW1A 1AA") == "ZZ99 9ZZ"


@pytest.mark.parametrize(
    ("age", "wanted"), [("93-year-old", "90+-year-old"), ("88", "88"), ("ninety-three", "over 89")]
)
def test_ages_over_89_are_one(age: str, wanted: str) -> None:
    assert surrogates().of("age", age) == wanted


def test_what_has_no_form_becomes_a_word_for_its_kind() -> None:
    assert surrogates().of("other", "the mayor") == "[IDENTIFIER]"
    assert surrogates().of("number", "???") == PLACEHOLDERS["number"]
    assert surrogates(("name", "1234")).of("name", "1234") == PLACEHOLDERS["name"]


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("Spoke to BROWN today.", 1),
        ("Brown stool, Brown's wife", 2),
        ("brown sputum", 0),
        ("see brown_12 or brown@clinic", 2),
        ("Brownish, Lee and 12-34", 0),
        ("MRN 123 4567 and 1234567", 2),
        ("at St  Elsewhere", 1),
        ("the hospital, on 3 March", 0),
    ],
)
def test_what_is_left_of_an_identifier_is_found(text: str, n: int) -> None:
    known = [
        *(("name", "Mr Brown"), ("name", "Lee"), ("number", "123-4567"), ("location", "St Elsewhere")),
        *(("location", "hospital"), ("date", "3 March")),
    ]
    assert n_leftovers(text, leftover_pattern(known), known) == n
