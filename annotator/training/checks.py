"""Whether a model can be trained from a dataset, and what to know before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from annotator.builds.models import DatasetBuild, LockedTestSet
from annotator.core.prompting import template_digest
from annotator.training.models import TrainingRun
from annotator.training.options import template_for

Kind = TrainingRun.Kind

# What each kind reads, the first that is there.
FORMATS: dict[str, tuple[str, ...]] = {Kind.LORA: ("messages",), Kind.SPACY: ("spacy", "jsonl")}
FEW_NOTES = 50
FEW_SPANS = 30
_MEDGEMMA = "medgemma"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list: `status` ok, warn, bad (the training would be refused) or later (not known yet)."""

    status: str
    text: str
    count: int | None = None
    why: str = ""


def why_not(*, build: DatasetBuild, kind: str, base: str) -> str:
    """Why this cannot be trained from that, with what to do; "" where it can."""
    found = next((check for check in _blocking(build, kind, base) if check.status == "bad"), None)
    return f"{found.text}: {found.why[:1].lower()}{found.why[1:].rstrip('.')}" if found else ""


def checks_of(
    *, build: DatasetBuild, kind: str, base: str, test_set: LockedTestSet | None, is_flagged: bool, has_worker: bool
) -> list[Check]:
    """All that is to be known before the start. No query."""
    blocking = list(_blocking(build, kind, base))
    if any(check.status == "bad" for check in blocking):
        return blocking
    return [*blocking, *_telling(build, kind, base, test_set, is_flagged), *_worker(has_worker)]


def _blocking(build: DatasetBuild, kind: str, base: str) -> Iterator[Check]:
    if build.files_removed_at is not None:
        yield Check("bad", "The files of this dataset were removed by a purge", None, "Build another one.")
        return
    if not build.manifest:
        yield Check("bad", "This dataset is not written yet", None, "Wait until it is ready.")
        return
    wanted = FORMATS[kind]
    found = next((name for name in wanted if name in build.formats), "")
    if not found:
        yield Check(
            "bad", "The dataset lacks the format", None, f"Build it with {' or '.join(wanted)}, which this kind reads."
        )
        return
    yield Check("ok", f"Reads the format {found}")
    if kind == Kind.LORA and build.manifest.get("template_sha256") != template_digest(template_for(base)):
        name = template_for(base)
        yield Check(
            "bad", "Its rows do not ask as this base is asked", None, f"Build the dataset with the prompt {name}."
        )
    n_notes = build.manifest["parts"]["train"]["n_notes"]
    if not n_notes:
        yield Check("bad", "The part train is empty", None, "Build the dataset with a share for train.")


def _telling(
    build: DatasetBuild, kind: str, base: str, test_set: LockedTestSet | None, is_flagged: bool
) -> Iterator[Check]:
    train, dev = build.manifest["parts"]["train"], build.manifest["parts"]["dev"]
    if train["n_notes"] < FEW_NOTES:
        yield Check("warn", "Few notes to learn from", train["n_notes"], "It will miss most of what it has not seen.")
    else:
        yield Check("ok", "Notes to learn from", train["n_notes"])
    if few := [label for label, n in train["labels"].items() if n < FEW_SPANS]:
        yield Check("warn", f"Labels with fewer than {FEW_SPANS} spans in train", len(few), ", ".join(few))
    if dev["n_notes"]:
        yield Check("ok", "Notes that it is looked at with, in dev", dev["n_notes"])
    else:
        yield Check("warn", "The part dev is empty", None, "Nothing says when to stop: it goes on to its last step.")
    yield _test_check(build, test_set)
    if is_flagged:
        yield Check("warn", "The dataset rests on a certificate that was revoked", None, "Build another one.")
    models = [labeler["model_id"] for labeler in build.manifest.get("labelers", ())]
    if any(_MEDGEMMA in name.lower() for name in [base, *models]):
        why = "Health AI Developer Foundations, 1.1 (h): what is made with it is a derivative, and keeps the notice."
        yield Check("warn", "MedGemma's terms go with the model", None, why)
    if kind == Kind.LORA:
        why = "The worker needs PyTorch, and the base's files in its cache: nothing is fetched."
        yield Check("later", "The base is looked for when it begins", None, why)


def _test_check(build: DatasetBuild, test_set: LockedTestSet | None) -> Check:
    if test_set is None:
        why = "Lock one on a dataset's page first, and train from a dataset that is built then."
        return Check("warn", "Without a locked test set it cannot be compared", None, why)
    kept = build.manifest.get("test_set") or {"build": build.number}
    if kept["build"] != test_set.build_number:
        why = "It may learn from notes that it would be measured on. Build another one."
        return Check("warn", "The dataset was built without the locked test set", None, why)
    return Check("ok", "The locked test set is kept out of it")


def _worker(has_worker: bool) -> Iterator[Check]:
    if not has_worker:
        yield Check("warn", "No training worker is running", None, "The training will wait until one is started.")
