"""Chat rows in TRL's forms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotator.builds.options import BuildOptions, OptionError
from annotator.builds.records import FormatError
from annotator.core import prompting
from annotator.core.chunks import OVERLAP, WINDOW, chunks
from annotator.core.identifiers import LABEL, with_identifiers
from tests.builds.notes import FEVER, SCHEMA, check_golden, fever_note, note, span, texts_of, write_notes


def test_trl_files_are_those_of_the_golden_folder(tmp_path: Path) -> None:
    n_rows, losses = write_notes("trl", tmp_path)
    assert n_rows == {"train.trl.jsonl": 2, "dev.trl.jsonl": 1}
    check_golden("trl", texts_of(tmp_path), losses)


def test_trl_prompts_are_what_a_labeler_asks_and_empty_notes_have_an_empty_answer(tmp_path: Path) -> None:
    write_notes("trl", tmp_path)
    (row,) = (json.loads(line) for line in (tmp_path / "dev.trl.jsonl").open(encoding="utf-8"))
    assert row["prompt"] == prompting.render_messages(SCHEMA, "Nothing new.")
    assert row["completion"] == [{"role": "assistant", "content": "[]"}]


def test_trl_rows_are_the_messages_cut_before_the_answer(tmp_path: Path) -> None:
    text = FEVER + "\n" + "Fever again. Nothing else was said of it today. " * 60 + "Cough."
    given = [("train", note(text, span(text, "Fever", label="Problem"), span(text, "Cough", label="Problem")))]
    for name in ("trl", "messages"):
        write_notes(name, tmp_path / name, given)
    trl = [json.loads(line) for line in (tmp_path / "trl" / "train.trl.jsonl").open(encoding="utf-8")]
    chat = [json.loads(line) for line in (tmp_path / "messages" / "train.messages.jsonl").open(encoding="utf-8")]
    assert [row["prompt"] + row["completion"] for row in trl] == [row["messages"] for row in chat]
    assert [row["window"] for row in trl] == [[window.start, window.end] for window in chunks(text, WINDOW, OVERLAP)]
    assert len(trl) > 2


def test_rows_ask_in_the_words_of_the_template(tmp_path: Path) -> None:
    write_notes("messages", tmp_path, [("train", fever_note())], template=prompting.COMPACT)
    (row,) = [json.loads(line) for line in (tmp_path / "train.messages.jsonl").open(encoding="utf-8")]
    assert row["messages"][:-1] == prompting.render_messages(SCHEMA, FEVER, template=prompting.COMPACT)
    with pytest.raises(OptionError, match="no such prompt template"):
        BuildOptions(template="other")


@pytest.mark.parametrize("name", ["trl", "messages"])
def test_chat_rows_open_as_a_dataset(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    write_notes(name, tmp_path / "out", [("train", fever_note())])
    found = datasets.Dataset.from_json(str(tmp_path / "out" / f"train.{name}.jsonl"), cache_dir=str(tmp_path / "cache"))
    (row,) = found
    turns = row["messages"] if name == "messages" else row["prompt"] + row["completion"]
    assert [turn["role"] for turn in turns] == ["user", "assistant"]
    assert prompting.note_of(turns[:1]) == FEVER


def test_identifiers_stand_in_neither_prompt_nor_answer(tmp_path: Path) -> None:
    text = "Mrs Hollis has a fever."
    spans = (span(text, "Hollis", label=LABEL), span(text, "fever", label="Problem"))
    schema = with_identifiers(SCHEMA)
    n_rows, losses = write_notes("messages", tmp_path, [("train", note(text, *spans))], schema=schema)
    assert n_rows == {"train.messages.jsonl": 1}
    (row,) = [json.loads(line) for line in (tmp_path / "train.messages.jsonl").open(encoding="utf-8")]
    assert row["messages"][:-1] == prompting.render_messages(SCHEMA, text)
    assert json.loads(row["messages"][-1]["content"]) == [{"text": "fever", "label": "Problem"}]
    assert losses == {"identifiers, which no labeler of findings is asked for": 1}


def test_a_dataset_of_identifiers_alone_has_no_prompt(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="identifiers alone"):
        write_notes("trl", tmp_path, schema=with_identifiers(SCHEMA).only([LABEL]))
