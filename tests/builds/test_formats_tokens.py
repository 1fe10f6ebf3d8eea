"""CoNLL and spaCy: formats in which a token has one label."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus
from spacy.training.converters import conll_ner_to_docs

from annotator.builds.formats import spacy as spacy_format
from tests.builds.notes import FEVER, ODD, check_golden, fever_note, note, odd_note, span, texts_of, write_notes


def read(path: Path) -> list[Doc]:
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def blocks(path: Path) -> Iterator[list[list[tuple[str, str]]]]:
    """The notes of a CoNLL file, each as sentences of (token, tag), read strictly."""
    content = path.read_text(encoding="utf-8")
    assert content.endswith("\n\n")
    for document in content.split("-DOCSTART- -X- O O\n\n")[1:]:
        rows = [[line.split(" ") for line in sentence.splitlines()] for sentence in document.strip("\n").split("\n\n")]
        assert all(len(row) == 4 for sentence in rows for row in sentence)
        yield [[(row[0], row[3]) for row in sentence] for sentence in rows]


def test_conll_files_are_those_of_the_golden_folder(tmp_path: Path) -> None:
    n_rows, losses = write_notes("conll", tmp_path)
    assert n_rows == {"train.conll": 2, "dev.conll": 1}
    check_golden("conll", texts_of(tmp_path), losses)


def test_conll_opens_in_spacy_with_a_document_for_each_note(tmp_path: Path) -> None:
    write_notes("conll", tmp_path)
    odd, fever = conll_ner_to_docs((tmp_path / "train.conll").read_text(encoding="utf-8"), no_print=True)
    assert [(found.text, found.label_) for found in fever.ents] == [
        ("Fever", "Problem"),
        ("Stiffness in the left", "Problem"),
        ("knee", "Problem"),
        ("Paracetamol ≥ 500 mg", "Medication"),
    ]
    assert [found.text for found in odd.ents][:2] == ["fever", "chest pain"]


def test_conll_says_what_did_not_fit(tmp_path: Path) -> None:
    _, losses = write_notes("conll", tmp_path)
    assert losses == {
        "attributes with another value than the default": 3,
        "discontinuous spans, cut into their pieces": 1,
        "edges inside a token, moved to the token's": 1,
        "relations": 2,
        "spans or pieces that share a token with a longer one": 1,
    }


def test_conll_tags_begin_with_b_and_no_sentence_ends_inside_a_span(tmp_path: Path) -> None:
    text = "He has chest pain. Fever.\n\nNo cough today. Never smoked."
    spans = [span(text, "pain. Fever", label="Problem"), span(text, "cough", label="Adverse event")]
    write_notes("conll", tmp_path, [("train", note(text, *spans))])
    ((first, second, third),) = blocks(tmp_path / "train.conll")
    assert [tag for _, tag in first] == ["O", "O", "O", "B-Problem", "I-Problem", "I-Problem", "O"]
    assert ("cough", "B-Adverse_event") in second
    assert {tag for _, tag in third} == {"O"}


def test_conll_rows_survive_every_kind_of_white_space(tmp_path: Path) -> None:
    text = "a\u00a0b\u2028c\x85d\x1ce\tf -DOCSTART- -X- O O"
    write_notes("conll", tmp_path, [("train", note(text))])
    ((sentence, *more),) = blocks(tmp_path / "train.conll")
    assert "".join(token for each in (sentence, *more) for token, _ in each) == "".join(text.split())


# spaCy


def test_docbin_holds_what_the_golden_file_tells(tmp_path: Path) -> None:
    n_rows, losses = write_notes("spacy", tmp_path)
    assert n_rows == {"train.spacy": 2, "dev.spacy": 1}
    told = {
        f"{path.name}.json": json.dumps(
            [{**doc.to_json(), "user_data": doc.user_data} for doc in read(path)], ensure_ascii=False, indent=1
        )
        + "\n"
        for path in sorted(tmp_path.iterdir())
    }
    check_golden("spacy", told, losses)


def test_docbin_keeps_the_text_and_every_span(tmp_path: Path) -> None:
    write_notes("spacy", tmp_path)
    odd, fever = read(tmp_path / "train.spacy")
    assert (odd.text, fever.text) == (ODD, FEVER)
    assert [(found.start_char, found.end_char, found.label_) for found in fever.ents] == [
        (start, end, own.label) for own in fever_note().spans for start, end in own.span.fragments
    ]
    quotes = [found.text for found in odd.spans["sc"]]
    assert {"fever", "chest\npain", "pain"} <= set(quotes)
    assert len(quotes) == len(odd_note().spans)
    assert "pain" not in [found.text for found in odd.ents]
    assert fever.cats == {"smoking: never": 0.0, "smoking: former": 1.0, "smoking: current": 0.0}
    assert odd.cats == {}
    assert fever.user_data == {"id": "a-1", "patient_id": "p1", "note_type": "ED"}


def test_docbin_is_what_spacy_trains_on(tmp_path: Path) -> None:
    write_notes("spacy", tmp_path)
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    examples = list(Corpus(tmp_path / "train.spacy")(nlp))
    nlp.initialize(lambda: examples)
    assert set(nlp.get_pipe("ner").labels) == {"Problem", "Medication"}
    losses = nlp.update(examples, losses={})
    assert losses["ner"] > 0
    # Nothing that the tokeniser does keeps a span from being learned.
    assert all("-" not in example.get_aligned_ner() for example in examples)


def test_docbins_are_ended_before_they_grow_and_a_folder_of_them_is_a_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spacy_format, "NOTES_A_FILE", 2)
    given = [("train", replace(fever_note(), id=f"n-{number}")) for number in range(5)]
    n_rows, _ = write_notes("spacy", tmp_path, given)
    assert n_rows == {"train.spacy": 2, "train-2.spacy": 2, "train-3.spacy": 1}
    assert len(list(Corpus(tmp_path)(spacy.blank("en")))) == 5


def test_docbins_of_long_notes_end_sooner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacy_format, "CHARACTERS_A_FILE", 2 * len(FEVER))
    n_rows, _ = write_notes("spacy", tmp_path, [("train", fever_note())] * 3)
    assert n_rows == {"train.spacy": 2, "train-2.spacy": 1}
