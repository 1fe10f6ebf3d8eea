from __future__ import annotations

import pytest

from llm_labeler.lexicon.assertion import AssertionContext


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("He has [chest pain].", "present"),
        ("No [rash].", "absent"),
        ("Denies fever, chills, nausea or [chest pain].", "absent"),
        ("[Effusion] was not seen.", "absent"),
        ("[Fracture] ruled out.", "absent"),
        ("CT without [haemorrhage].", "absent"),
        ("Hasn't had [seizures].", "absent"),
        ("No fever but [cough] today.", "present"),
        ("No fever. [Cough] today.", "present"),
        ("No fever; [cough] today.", "present"),
        ("No fever - [cough] today.", "present"),
        ("COPD (no home O2) and [hypertension].", "present"),
        ("No increase in [pain].", "present"),
        ("Not only [rash] was seen.", "present"),
        ("He denied cough and has [fever].", "present"),
        ("Possible [pneumonia].", "possible"),
        ("?[UTI] as contributor", "possible"),
        ("[Pneumonia] cannot be excluded.", "possible"),
        ("r/o [PE]", "possible"),
        ("[Vasculitis] is unlikely.", "possible"),
        ("[Pneumonia] vs atelectasis", "possible"),
        ("Changes consistent with [ileus].", "possible"),
        ("[Chest pain] on exertion.", "conditional"),
        ("[Breathless] when she climbs stairs", "conditional"),
        ("Allergies: penicillin ([rash])", "conditional"),
        ("Return if [fever] develops.", "hypothetical"),
        ("At high risk of [falls].", "hypothetical"),
        ("[VTE] prophylaxis given", "hypothetical"),
        ("No FFP unless [bleeding]", "hypothetical"),
        ("Her mother had [breast cancer].", "family"),
        ("Father died of [stroke].", "family"),
        ("FAMILY HISTORY\n[Diabetes] and stroke.", "family"),
        ("FH: no [psoriasis].", "family"),
        ("FH: mother had asthma.\n\n[Fever] today.", "present"),
        ("Her mother reports [fever] since Monday.", "present"),
        ("His daughter says [confusion] is worse.", "present"),
    ],
)
def test_a_problem_is_asserted_as_its_sentence_says(text: str, wanted: str) -> None:
    start, end = text.index("["), text.index("]") - 1
    plain = text.replace("[", "").replace("]", "")
    assert AssertionContext(plain).value_at(start, end) == wanted


def test_a_place_outside_every_sentence_is_present() -> None:
    assert AssertionContext("").value_at(0, 1) == "present"
