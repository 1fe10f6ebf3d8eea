"""The small model by its two runtimes: llama.cpp with the 4-bit weights, torch with the same weights unpacked.

RUNTIME_NOTES=31 reads all of the demo's notes, which takes an hour or two; by default the shortest ones.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from annotator.core.matching import Labelled
from annotator.core.schema import schema_from_json
from annotator.demo.services import demo_documents
from llm_labeler.evaluate import SCHEMA, SMALL, opened, parser
from llm_labeler.pipeline import label_notes

N_NOTES = int(os.environ.get("RUNTIME_NOTES", "3"))


def found_by(runtime: str, texts: list[str]) -> set[tuple[int, Labelled]]:
    """The spans that the small model finds by this runtime, each with its note."""
    schema = schema_from_json(json.loads(SCHEMA.read_text()))
    asked = parser().parse_args(["--gold", ".", "--labeler", "gemma", "--runtime", runtime])
    with opened(asked) as (backend, _):
        results = label_notes(texts=texts, schema=schema, backend=backend, decoding=SMALL)
        return {(place, Labelled(one.span, one.label)) for place, read in results for one in read.spans if one.span}


@pytest.mark.gemma
def test_both_runtimes_find_the_same_spans_in_the_demo_notes() -> None:
    texts = sorted((document.text for document in demo_documents()), key=len)[:N_NOTES]
    with ThreadPoolExecutor() as at_once:
        by_llama, by_torch = at_once.map(found_by, ("llama.cpp", "torch"), (texts, texts))
    n_same = len(by_llama & by_torch)
    print(f"{n_same} spans alike of {len(by_llama)} by llama.cpp and {len(by_torch)} by torch")
    assert len(by_llama) > 20 * N_NOTES
    assert 2 * n_same >= 0.95 * (len(by_llama) + len(by_torch))
