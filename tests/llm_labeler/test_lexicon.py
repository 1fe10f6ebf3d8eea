from __future__ import annotations

import bz2
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_labeler.backends.spacy import PRIORS
from llm_labeler.lexicon import dictionaries, load_lexicon, stop_terms, term_key
from llm_labeler.lexicon.matching import rule_matches
from llm_labeler.lexicon.patterns import dosages


def found(text: str) -> list[tuple[str, str]]:
    return [(text[match.start : match.end], match.label) for match in rule_matches(text, PRIORS)]


def doses(text: str) -> list[str]:
    return [text[match.start : match.end] for match in dosages(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Aspirin and warfarin.", [("Aspirin", "Medication"), ("warfarin", "Medication")]),
        ("piperacillin/tazobactam given", [("piperacillin/tazobactam", "Medication")]),
        ("type 2 diabetes mellitus", [("type 2 diabetes mellitus", "Problem")]),
        ("Crohn's disease", [("Crohn's disease", "Problem")]),
        ("Crohn\u2019s disease", [("Crohn\u2019s disease", "Problem")]),
        ("non-small cell lung cancer", [("non-small cell lung cancer", "Problem"), ("lung", "Anatomy")]),
        ("CXR and troponin", [("CXR", "Test"), ("troponin", "Test")]),
        (
            "chest x-ray, chest X ray",
            [("chest x-ray", "Test"), ("chest", "Anatomy"), ("chest X ray", "Test"), ("chest", "Anatomy")],
        ),
        ("laparoscopic cholecystectomy", [("laparoscopic cholecystectomy", "Procedure")]),
        ("severe pain in the left knee", [("severe pain in the left knee", "Problem"), ("left knee", "Anatomy")]),
        ("swelling\nof the ankle", [("swelling\nof the ankle", "Problem"), ("ankle", "Anatomy")]),
        ("raised CRP", [("raised CRP", "Problem"), ("CRP", "Test")]),
        ("L4/5 disc", [("L4/5", "Anatomy")]),
        ("hepatitis panel", [("hepatitis panel", "Test")]),
    ],
)
def test_terms_are_found_whole_and_longest_first(text: str, wanted: list[tuple[str, str]]) -> None:
    assert found(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "His disease and other conditions were in contrast to the history of the patient today.",
        "She may use the target for the total impact of it all.",
        "all of us were in the ed with ms and pe",
        "the diagnosis and prognosis of the program",
        "food and water",
        "MEDICATIONS:\n",
    ],
)
def test_common_words_are_no_terms(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("take 500 mg daily", ["500 mg daily"]),
        ("500mg PO BID prn.", ["500mg PO BID prn"]),
        ("10-20 mL/h", ["10-20 mL/h"]),
        ("2 tablets", ["2 tablets"]),
        ("1/2 tab", ["1/2 tab"]),
        ("½ tablet nocte", ["½ tablet nocte"]),
        ("5 µg od.", ["5 µg od"]),
        ("every 6 hours", ["every 6 hours"]),
        ("q6h, once daily", ["q6h, once daily"]),
        ("0.12 µg/kg/min", ["0.12 µg/kg/min"]),
        ("1 g IV qds for 3 days", ["1 g IV qds for 3 days"]),
        ("100 mg/5 mL b.i.d.", ["100 mg/5 mL b.i.d."]),
        ("Hb 13.1 g/dL, CRP 37.7 mg/L, ferritin 12 ng/mL", []),
        ("sodium 140 mmol/L, WBC 15.8 x 10^9/L", []),
        ("weight 71 kg, 12 mm, BP 120/80, on 12.03.2024 he went on", []),
    ],
)
def test_dosages_are_found_and_results_are_not(text: str, wanted: list[str]) -> None:
    assert doses(text) == wanted


def test_a_volume_is_a_dosage_only_beside_a_medication() -> None:
    assert ("2 L", "Dosage") in found("Oxygen 2 L given")
    assert ("2 L", "Dosage") not in found("He passed urine, 2 L in all, overnight")


PIECES = st.sampled_from(
    [
        "chest",
        " ",
        "pain",
        "\n",
        "\r\n",
        "\U0001f600",
        "e\u0301",
        "aspirin",
        "500 mg",
        "İ",
        "-",
        "left ",
        "knee",
        "'s ",
        "CRP",
        "bid",
        ". ",
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_matches_lie_in_the_text_and_never_overlap_within_a_label(text: str) -> None:
    reached: dict[str, int] = {}
    for match in rule_matches(text, PRIORS):
        assert 0 <= match.start < match.end <= len(text)
        assert text[match.start : match.end].strip() == text[match.start : match.end]
        assert match.start >= reached.get(match.label, 0)
        assert match.kind in PRIORS
        reached[match.label] = match.end


def test_every_kind_of_term_has_a_prior() -> None:
    lexicon = load_lexicon()
    kinds = {kind for pairs in (*lexicon.terms.values(), *lexicon.exact.values()) for _, kind in pairs}
    assert kinds <= set(PRIORS)
    assert all(0 < prior < 1 for prior in PRIORS.values())


@pytest.mark.parametrize(
    ("term", "key"),
    [
        ("Crohn\u2019s disease", "crohn's disease"),
        ("X-ray", "x ray"),
        ("disorder, bipolar", None),
        ("n-acetyl (x)", None),
        ("", None),
        ("CK-MB", "ck mb"),
    ],
)
def test_a_term_is_written_as_running_text_has_it(term: str, key: str | None) -> None:
    assert term_key(term) == key


def test_the_stop_list_keeps_analytes_from_being_drugs() -> None:
    assert {"glucose", "water", "creatinine"} <= stop_terms("drug_stop")
    assert ("creatinine", "Medication") not in found("creatinine 98")


def test_a_dictionary_that_wants_to_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "evil_dictionary"
    package.mkdir()
    (package / "__init__.py").touch()
    with bz2.open(package / "data.pkl.bz2", "wb") as file:
        pickle.dump({"drug_variant_to_canonical": Path("x")}, file)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(dictionaries, "_DRUGS", ("evil_dictionary", "data.pkl.bz2", "drug"))
    with pytest.raises(dictionaries.DictionaryError, match="plain containers"):
        list(dictionaries.drug_terms())


@pytest.mark.parametrize("source", [("no_such_package", "x", "drug"), ("json", "x", "drug")])
def test_a_dictionary_that_is_missing_is_named(source: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionaries, "_DRUGS", source)
    with pytest.raises(dictionaries.DictionaryError, match=source[0]):
        list(dictionaries.drug_terms())
