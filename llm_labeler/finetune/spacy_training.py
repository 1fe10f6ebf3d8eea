"""A run of spaCy's own training: a dataset becomes a pipeline of one component, on the processor.

What is kept of the pipeline holds no word of a note: its vocabulary, which knows every word that it has seen, is left
out, and a pipeline without one is loaded with that of its language.
"""

from __future__ import annotations

import io
import math
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import spacy
from confection import Config
from spacy.language import Language
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import DIR_MODEL_BEST, DIR_MODEL_LAST
from spacy.training.loop import train as spacy_train
from spacy.util import load_model_from_config, registry

from llm_labeler.backends.digests import folder_digest
from llm_labeler.finetune import FinetuneError, folder
from llm_labeler.finetune.datasets import DEV, TRAIN, Unpacked
from llm_labeler.finetune.ending import Stop
from llm_labeler.finetune.progress import Point, add_point
from llm_labeler.finetune.spacy_recipe import NER, SPANCAT, SpacyRecipe
from llm_labeler.finetune.spacy_rows import SPANS_KEY, example_of, files_of, labels_of, longest_of, windows_of

KIND = "spacy"
_PART, _LOGGER = "marginalia.part.v1", "marginalia.progress.v1"
_SCORES = {SPANCAT: f"spans_{SPANS_KEY}_f", NER: "ents_f"}
_NOT_GIVEN = ("attributes", "relations", "labels of whole notes")


class _Stopped(Exception):
    """Somebody asked the training to end."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a run: its steps, and whether somebody stopped it before it was done."""

    n_steps: int
    is_stopped: bool
    facts: Mapping[str, Any]


class SpacyRun:
    """One dataset, one recipe. Raises FinetuneError for what cannot be trained on."""

    def __init__(self, *, dataset: Unpacked, recipe: SpacyRecipe, out: Path) -> None:
        self.dataset, self.recipe, self.out = dataset, recipe, out
        self.labels = labels_of(dataset)
        if not files_of(dataset, TRAIN):
            raise FinetuneError(
                f"{dataset.folder} has neither {TRAIN}.spacy nor {TRAIN}.jsonl: build the dataset with the format "
                "spacy or jsonl"
            )
        blank = spacy.blank("en")
        self.train, self.dev = (windows_of(dataset, part, labels=self.labels, nlp=blank) for part in (TRAIN, DEV))
        if not self.train.n_spans:
            raise FinetuneError(f"the part {TRAIN} has no span of any of the schema's labels: annotate more notes")
        self.longest = longest_of(self.train, recipe)
        self._points: list[Point] = []

    @property
    def facts(self) -> dict[str, Any]:
        """What was asked for: another run has others."""
        return {
            "kind": KIND,
            "dataset": self.dataset.digest,
            "dataset_name": self.dataset.name,
            "base": "",
            "spacy": metadata.version("spacy"),
            "recipe": self.recipe.to_json(),
            "longest": self.longest,
            "n_rows": len(self.train.found),
            "notes": {TRAIN: self.train.n_notes, DEV: self.dev.n_notes},
            "spans": {TRAIN: self.train.n_spans.total(), DEV: self.dev.n_spans.total()},
            "labels": [label for label in self.labels if self.train.n_spans[label]],
            "labels_without_spans": [label for label in self.labels if not self.train.n_spans[label]],
            "not_given": list(_NOT_GIVEN),
            "left_out": {reason: count for reason, count in sorted(self.train.left_out.items()) if count}
            | self._too_long(),
        }

    def go(self, *, is_resumed: bool, tell: Callable[[str], None]) -> Trained:
        """Train to the end, or until SIGTERM or SIGINT; `tell` gets a line at every look. Raises FinetuneError.

        A run that is resumed begins again: spaCy keeps nothing that it could go on from exactly.
        """
        if is_resumed:
            folder.go_on(self.out, self.facts)
            (self.out / folder.PROGRESS).unlink(missing_ok=True)
            tell("spaCy cannot go on where it was: training begins again")
        else:
            folder.begin(self.out, self.facts)
        for name in (folder.CHECKPOINTS, folder.PIPELINE):
            shutil.rmtree(self.out / name, ignore_errors=True)
        began = time.monotonic()
        stop = Stop()
        checkpoints = self.out / folder.CHECKPOINTS
        checkpoints.mkdir()
        try:
            with stop.on_signal():
                self._trained(checkpoints, stop, tell, began)
        except _Stopped:
            shutil.rmtree(checkpoints)
            return Trained(self._points[-1].step if self._points else 0, is_stopped=True, facts=self.facts)
        self._keep(checkpoints / (DIR_MODEL_BEST if self._is_looked_at else DIR_MODEL_LAST))
        shutil.rmtree(checkpoints)
        best = max(self._points, key=lambda point: (point.dev_f1 or 0.0, -point.step)) if self._is_looked_at else None
        facts = self.facts | {
            "steps": self._points[-1].step,
            "seconds": round(time.monotonic() - began, 1),
            "loss": self._points[-1].loss,
            "best": {"step": best.step, "dev_loss": None, "dev_f1": best.dev_f1} if best else None,
            "revision": folder_digest(self.out / folder.PIPELINE),
        }
        folder.write(self.out / folder.DONE, facts)
        return Trained(self._points[-1].step, is_stopped=False, facts=facts)

    @property
    def _is_looked_at(self) -> bool:
        return bool(self.dev.n_spans and self.recipe.patience)

    def _too_long(self) -> dict[str, int]:
        """Spans that spancat is never asked about."""
        if self.recipe.component == NER:
            return {}
        lengths = (len(span) for doc in self.train.found for span in doc.spans[SPANS_KEY])
        n_long = sum(length > self.longest for length in lengths)
        return {f"spans of more than {self.longest} tokens": n_long} if n_long else {}

    def _trained(self, checkpoints: Path, stop: Stop, tell: Callable[[str], None], began: float) -> None:
        """Have spaCy train, which leaves the last and the best in `checkpoints`. Raises _Stopped."""

        def part(name: str) -> Callable[[Language], Iterable[Example]]:
            docs = self.train.found if name == TRAIN else self.dev.found if self._is_looked_at else ()
            return lambda nlp: [example_of(nlp, doc, self.recipe, longest=self.longest) for doc in docs]

        def logger() -> Callable[..., tuple[Callable[[Mapping[str, Any] | None], None], Callable[[], None]]]:
            def log(info: Mapping[str, Any] | None) -> None:
                if info is not None:
                    point = self._point(info, time.monotonic() - began)
                    self._points.append(point)
                    add_point(self.out / folder.PROGRESS, point)
                    tell(point.words)
                if stop.is_asked:
                    raise _Stopped

            return lambda nlp, stdout, stderr: (log, lambda: None)

        registry.readers.register(_PART, func=part)
        registry.loggers.register(_LOGGER, func=logger)
        config = _config(self.recipe, longest=self.longest, labels=self.facts["labels"])
        nlp = init_nlp(load_model_from_config(Config(config), auto_fill=True).config)
        silent = io.StringIO()
        spacy_train(nlp, checkpoints, stdout=silent, stderr=silent)

    def _point(self, info: Mapping[str, Any], seconds: float) -> Point:
        step, n_steps = info["step"], self.recipe.steps
        loss = sum(float(value) for value in info["losses"].values())
        return Point(
            step=step,
            n_steps=n_steps,
            epoch=float(info["epoch"]),
            loss=round(loss / self._n_updates(step), 6) if math.isfinite(loss) else None,
            dev_loss=None,
            dev_f1=round(float(info["score"]), 6) if self._is_looked_at else None,
            seconds=round(seconds, 1),
            seconds_left=round(seconds / step * max(n_steps - step, 0), 1) if step else None,
        )

    def _n_updates(self, step: int) -> int:
        """The updates since the last look, whose losses spaCy adds up."""
        return step - self._points[-1].step if self._points else 1

    def _keep(self, made: Path) -> None:
        """The pipeline that is left, without what only its training needed."""
        nlp = spacy.load(made)
        settings = nlp.config.copy()
        settings["corpora"], settings["training"]["logger"] = {}, {"@loggers": "spacy.ConsoleLogger.v1"}
        nlp.config = settings
        nlp.to_disk(self.out / folder.PIPELINE, exclude=["vocab"])


def _config(recipe: SpacyRecipe, *, longest: int, labels: Sequence[str]) -> dict[str, Any]:
    """spaCy's settings of the whole training: a tok2vec as its own quickstart has it for a processor."""
    tok2vec = {
        "@architectures": "spacy.Tok2Vec.v2",
        "embed": {
            "@architectures": "spacy.MultiHashEmbed.v2",
            "width": 96,
            "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
            "rows": [5000, 1000, 2500, 1000],
            "include_static_vectors": False,
        },
        "encode": {
            "@architectures": "spacy.MaxoutWindowEncoder.v2",
            "width": 96,
            "depth": 4,
            "window_size": 1,
            "maxout_pieces": 3,
        },
    }
    spancat = {
        "factory": SPANCAT,
        "spans_key": SPANS_KEY,
        "threshold": recipe.threshold,
        "suggester": {"@misc": "spacy.ngram_range_suggester.v1", "min_size": 1, "max_size": longest},
        "model": {
            "@architectures": "spacy.SpanCategorizer.v1",
            "reducer": {"@layers": "spacy.mean_max_reducer.v1", "hidden_size": 128},
            "scorer": {"@layers": "spacy.LinearLogistic.v1"},
            "tok2vec": tok2vec,
        },
    }
    ner = {
        "factory": NER,
        "model": {
            "@architectures": "spacy.TransitionBasedParser.v2",
            "state_type": "ner",
            "extra_state_tokens": False,
            "hidden_width": 64,
            "maxout_pieces": 2,
            "use_upper": True,
            "tok2vec": tok2vec,
        },
    }
    component = NER if recipe.component == NER else SPANCAT
    return {
        "nlp": {"lang": "en", "pipeline": [component]},
        "components": {component: ner if component == NER else spancat},
        "corpora": {part: {"@readers": _PART, "name": part} for part in (TRAIN, DEV)},
        "training": {
            "train_corpus": f"corpora.{TRAIN}",
            "dev_corpus": f"corpora.{DEV}",
            "seed": recipe.seed,
            "dropout": recipe.dropout,
            "patience": recipe.patience * recipe.look_every,
            "max_epochs": 0,
            "max_steps": recipe.steps,
            "eval_frequency": recipe.look_every,
            "score_weights": {_SCORES[component]: 1.0},
            "logger": {"@loggers": _LOGGER},
            "batcher": {
                "@batchers": "spacy.batch_by_words.v1",
                "size": recipe.batch_words,
                "tolerance": 0.2,
                "discard_oversize": False,
            },
            "optimizer": {"@optimizers": "Adam.v1", "learn_rate": recipe.learning_rate},
        },
        # ner finds them in what it is shown.
        "initialize": {"components": {} if component == NER else {component: {"labels": list(labels)}}},
    }
