from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.guidance import PASSAGE_CHARS, example_line, passage_about, with_example

GUIDELINE = """# How we label

Label what the note says, not what you conclude. Each Problem once.

## 3.1 Drug side effects and Symptoms

Leave it to the clinician.

## 4.2 Symptom

A complaint the patient reports is a **Symptom**, even when a drug
caused it. Use **Problem** only where a *clinician* names a diagnosis.

- Not the word `pain` in a scale
- [See the wiki](https://example.org/x) for doubtful cases

### Edge cases

```
# Test is no heading here
```
- Medication: any drug, with its salt.
- A Device is anything left in the body.
"""


def said(label: str, guideline: str = GUIDELINE) -> tuple[str, str]:
    passage = passage_about(label, guideline)
    assert passage is not None
    return passage.title, passage.text


def test_the_section_that_is_headed_by_the_label_is_shown_as_plain_text() -> None:
    assert said("Symptom") == (
        "4.2 Symptom",
        "A complaint the patient reports is a Symptom, even when a drug caused it. Use Problem only where a clinician "
        "names a diagnosis. Not the word pain in a scale. See the wiki for doubtful cases.",
    )


def test_strong_words_are_kept_apart() -> None:
    passage = passage_about("Symptom", GUIDELINE)
    assert passage is not None
    assert [part for part, is_strong in passage.parts if is_strong] == ["Symptom", "Problem"]


@pytest.mark.parametrize(
    ("label", "title", "text"),
    [
        ("Device", "Edge cases", "A Device is anything left in the body."),
        ("Medication", "Edge cases", "Medication: any drug, with its salt."),
        ("Problem", "How we label", "Label what the note says, not what you conclude. Each Problem once."),
    ],
)
def test_without_such_a_heading_the_paragraphs_that_name_it_are_shown(label: str, title: str, text: str) -> None:
    assert said(label) == (title, text)


@pytest.mark.parametrize("label", ["Prob", "Anatomy", "lem", "Dev"])
def test_a_label_that_is_not_named_has_no_passage(label: str) -> None:
    assert passage_about(label, GUIDELINE) is None


def test_what_stands_in_code_is_no_heading() -> None:
    assert said("Test") == ("Edge cases", "# Test is no heading here.")


def test_the_name_as_it_is_written_comes_before_the_common_word() -> None:
    assert said("Test", "We test often.\n\nA Test is ordered.")[1] == "A Test is ordered."
    assert said("Test", "We tests often.")[1] == "We tests often."


def test_a_name_with_signs_is_found_to_the_letter() -> None:
    assert said("Side effect (drug)", "Use Side effect (drug) rarely.")[1] == "Use Side effect (drug) rarely."
    assert passage_about("A.B", "AxB is not it") is None


def test_a_long_passage_ends_with_a_sentence() -> None:
    sentence = "Take the words of the note, e.g. the whole phrase. "
    _, text = said("Test", f"## Test\n{sentence * 20}")
    assert text == f"{(sentence * 6).strip()} …"
    assert len(text) <= PASSAGE_CHARS + 2


def test_a_sentence_without_end_is_cut_at_a_word() -> None:
    _, text = said("Test", "## Test\n" + "word " * 200)
    assert text.endswith("word …")
    assert len(text) <= PASSAGE_CHARS + 2
    _, text = said("Test", "## Test\n" + "w" * 2000)
    assert text == "w" * PASSAGE_CHARS + " …"


def test_a_section_without_words_says_nothing() -> None:
    assert passage_about("Test", "## Test\n\n---\n") is None


@pytest.mark.parametrize("unit", ["[", "# ", "#", "**", "`_", "a.", "- ", "|"])
def test_a_hostile_guideline_takes_no_time(unit: str) -> None:
    began = time.process_time()
    for line in (unit * 10_000, f"# {unit * 10_000}x", f"Test {unit * 10_000}x\n"):
        passage_about("Test", line)
    assert time.process_time() - began < 1


@given(st.text(alphabet="Test *_`#->[]()|=\n.!1", max_size=600))
def test_any_guideline_can_be_searched(guideline: str) -> None:
    passage = passage_about("Test", guideline)
    assert passage is None or len(passage.text) <= PASSAGE_CHARS + 2


def test_an_example_goes_to_the_end_of_its_labels_section() -> None:
    line = example_line("Nausea\n", label="Symptom", instead=["Problem"])
    assert line == "- “Nausea” → Symptom, not Problem"
    assert with_example(GUIDELINE, label="Symptom", line=line) == GUIDELINE.replace(
        "for doubtful cases\n", f"for doubtful cases\n{line}\n"
    )


@pytest.mark.parametrize(
    ("guideline", "after"),
    [
        ("", "## Test\n\n- x"),
        ("Mark all.\n", "Mark all.\n\n## Test\n\n- x"),
        ("# Test\n\nA lab.\n\n# Other\n", "# Test\n\nA lab.\n\n- x\n\n# Other\n"),
        ("```\n# Test\n```", "```\n# Test\n```\n\n## Test\n\n- x"),
    ],
)
def test_an_example_has_a_section_of_its_own_where_no_heading_names_the_label(guideline: str, after: str) -> None:
    assert with_example(guideline, label="Test", line="- x") == after
