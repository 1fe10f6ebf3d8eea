from __future__ import annotations

import subprocess
import sys

import pytest

from llm_labeler.backends import BACKENDS, Backend, BackendError, load_backend


def test_an_unknown_backend_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BackendError, match=r"'telepathy': one of .*spacy"):
        load_backend("telepathy")


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(BackendError, match="temperature"):
        load_backend("spacy", temperature=0.7)


def test_a_pipeline_that_is_not_there_is_refused() -> None:
    with pytest.raises(BackendError, match="no_such_pipeline"):
        load_backend("spacy", pipeline="no_such_pipeline")


def test_a_loaded_backend_says_exactly_what_it_is() -> None:
    backend = load_backend("spacy")
    assert isinstance(backend, Backend)
    assert (backend.name, backend.model_id, backend.revision) == ("spacy", "marginalia-lexicon", "1")
    assert backend.device == "CPU"


def test_the_registry_loads_no_model_runtime() -> None:
    code = (
        "import sys, llm_labeler.backends, llm_labeler.pipeline; "
        "heavy = {'spacy', 'torch', 'transformers', 'django'} & set(sys.modules); sys.exit(bool(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert set(BACKENDS) >= {"spacy"}
