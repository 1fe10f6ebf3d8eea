"""The labeler that a finished training makes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from annotator.builds.options import BuildOptions
from annotator.core.chunks import OVERLAP, WINDOW
from annotator.core.prompting import COMPACT, FULL, template_digest
from annotator.core.scoring import SCORE_VERSION, SIGNALS_VERSION
from annotator.projects.selectors import schema_for
from annotator.suggestions.labelers import TRAINED
from annotator.suggestions.models import Labeler
from annotator.suggestions.services import LabelerSpec, labeler_for
from annotator.training.models import TrainingRun

_NO_PROMPT = {"template": FULL, "window": WINDOW, "overlap": OVERLAP, "constraint": "none", "n_passes": 0}


def labeler_of(run: TrainingRun, now: datetime) -> Labeler:
    """The row that reads notes with the run's weights, made if it is new: in the schema that its dataset has."""
    decoding = _decoding(run) | {
        "config": {"kind": run.kind, "run": run.public_id, "base": run.base},
        "signals": SIGNALS_VERSION,
        "score": SCORE_VERSION,
    }
    spec = LabelerSpec(
        name=f"{run.get_kind_display()}, training {run.number}",
        backend=TRAINED,
        model_id=f"{run.base or 'spacy'}+{run.public_id}",
        revision=run.revision,
        prompt_digest=template_digest(decoding["template"]),
        decoding=decoding,
    )
    version = schema_for(run.project, backend=TRAINED, until=run.build.manifest["schema"]["number"])
    return labeler_for(project=run.project, schema_version=version, spec=spec, now=now)


def _decoding(run: TrainingRun) -> dict[str, Any]:
    """A model is used on the windows, and asked in the words, that it was trained on; a pipeline is asked nothing.

    The small model reads windows that do not overlap, and is told of what it missed by the dictionaries, as where the
    installation runs it.
    """
    if run.kind == TrainingRun.Kind.SPACY:
        return dict(_NO_PROMPT)
    options = BuildOptions.from_json(run.build.manifest["options"])
    asked = {"template": options.template, "window": options.window, "constraint": "copy", "n_passes": 0}
    if options.template == COMPACT:
        return asked | {"overlap": 0, "max_tokens": 768, "second": "spacy"}
    return asked | {"overlap": options.overlap}
