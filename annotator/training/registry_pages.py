"""What the pages of models say: states, sentences, and a labeler's line from the dataset it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone

from annotator.builds.models import DatasetBuild
from annotator.core.wording import counted, revision_words
from annotator.suggestions.labelers import CONSTRAINTS, TRAINED
from annotator.suggestions.models import Labeler, LabelRun, Promotion
from annotator.suggestions.pages import Lead
from annotator.training import registry
from annotator.training.promotable import Outlook
from annotator.training.registry import Entry, Standing
from annotator.web.pills import Pill

_PILLS = {
    registry.CURRENT: Pill("Current", "ok", "check"),
    registry.CANDIDATE: Pill("Candidate", "accent", "dot"),
    registry.FORMER: Pill("Former", "", "past"),
    registry.REMOVED: Pill("Weights removed", "bad", "trash"),
    registry.BESIDE: Pill("Not to be promoted", "", "minus"),
    registry.OUTDATED: Pill("Older schema", "", "minus"),
}


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One line of the registry."""

    entry: Entry
    pill: Pill
    model: str
    may_promote: bool

    @property
    def labeler(self) -> Labeler:
        return self.entry.labeler


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a labeler's line: what it is called, what is there, and links as (words, address)."""

    name: str
    text: str
    links: tuple[tuple[str, str], ...] = ()
    more: str = ""


@dataclass(frozen=True, slots=True)
class PromotionRow:
    """A promotion as the page of one of its labelers tells it; `comparison` is the public id of one that is there."""

    promotion: Promotion
    words: str
    other: Labeler
    rests_on: str
    comparison: str


def model_row(entry: Entry, *, may_promote: bool) -> ModelRow:
    """`may_promote`: whether who looks may promote at all."""
    return ModelRow(
        entry=entry,
        pill=pill_of(entry.state),
        model=model_words(entry.labeler),
        may_promote=may_promote and not entry.cannot,
    )


def pill_of(state: str) -> Pill:
    return _PILLS[state]


def model_words(labeler: Labeler) -> str:
    """The model's id and its revision in short."""
    if labeler.revision == "not told":
        return f"{labeler.model_id}, revision not told"
    return f"{labeler.model_id} {revision_words(labeler.revision)}".strip()


def registry_lead(standing: Standing) -> Lead:
    """Which labeler new runs use, and since when."""
    current, promotion = standing.current, standing.current.promotion
    if current.cannot:
        return Lead(f"{current.spec.name}", " cannot read notes any more.")
    if promotion is None:
        return Lead(current.spec.name, " reads new notes: the labeler of this installation. None was promoted yet.")
    day = timezone.localdate(promotion.promoted_at)
    return Lead(current.spec.name, f" reads new notes, since it was promoted on {day.day} {day:%B %Y}.")


def line_of(entry: Entry, runs: Sequence[LabelRun]) -> list[Step]:
    """Where the labeler comes from and what became of what it said, in order; `runs` are its newest."""
    labeler, training = entry.labeler, entry.training
    project_id = labeler.project.public_id

    def build_link(build: DatasetBuild) -> tuple[str, str]:
        return f"Dataset {build.number}, {build.name}", reverse("builds:build", args=[project_id, build.public_id])

    steps = []
    if training is not None:
        steps.append(Step("Dataset", "What it was trained on", (build_link(training.build),)))
        trained = (f"Training {training.number}", reverse("training:run", args=[project_id, training.public_id]))
        steps.append(Step("Training", training.get_kind_display(), (trained,)))
    steps.append(Step("Labeler", labeler.name, (), model_words(labeler)))
    shown = tuple((f"Run {run.number}", reverse("suggestions:run", args=[project_id, run.public_id])) for run in runs)
    more = f"and {entry.n_runs - len(shown):,} before" if entry.n_runs > len(shown) else ""
    steps.append(Step("Runs", f"{counted(entry.n_notes, 'note')} read" if entry.n_runs else "None yet", shown, more))
    suggested = counted(entry.n_suggestions, "suggestion") if entry.n_suggestions else "None yet"
    steps.append(Step("Suggestions", suggested))
    steps.append(
        Step("Decisions", f"{entry.n_decided:,} decided" if entry.n_decided else "None yet", (), _share(entry))
    )
    held = tuple(build_link(each.build) for each in entry.datasets[:5])
    n_spans = sum(each.n_spans for each in entry.datasets)
    steps.append(
        Step(
            "Datasets",
            f"{counted(n_spans, 'label')} of it, in {counted(len(entry.datasets), 'dataset')}" if held else "None yet",
            held,
            f"and {len(entry.datasets) - len(held):,} before" if len(entry.datasets) > len(held) else "",
        )
    )
    return steps


def facts_of(labeler: Labeler) -> list[tuple[str, str]]:
    """What decides what it suggests, but for guideline and pool, which have pages."""
    decoding = labeler.decoding
    config = decoding.get("config", {})
    facts = [
        ("Model", labeler.model_id),
        ("Revision", labeler.revision or "–"),
        ("Read by", "a model that was trained here" if labeler.backend == TRAINED else labeler.backend),
        ("Schema", f"version {labeler.schema_version.number}"),
    ]
    if config.get("base"):
        facts.append(("Adapter for", str(config["base"])))
    if "template" in decoding:
        facts.append(("Prompt", f"{decoding['template']} {labeler.prompt_digest[:12]}"))
    if "window" in decoding:
        facts.append(("Windows", f"{decoding['window']:,} characters, {decoding.get('overlap', 0):,} shared"))
    if decoding.get("constraint") in CONSTRAINTS:
        facts.append(("Answers held to", CONSTRAINTS[decoding["constraint"]]))
    if decoding.get("n_passes"):
        facts.append(("Further readings", f"{decoding['n_passes']:,}"))
    return facts


def promotion_rows(labeler: Labeler, promotions: Sequence[Promotion], numbers: Mapping[str, int]) -> list[PromotionRow]:
    """`numbers` of comparisons by public id."""
    rows = []
    for found in promotions:
        is_over = found.labeler.digest == labeler.digest
        rests_on = "without a comparison"
        if found.comparison:
            number = numbers.get(found.comparison)
            rests_on = f"on comparison {number}" if number else "on a comparison that was deleted"
        rows.append(
            PromotionRow(
                promotion=found,
                words="Promoted over" if is_over else "Gave way to",
                other=found.previous if is_over else found.labeler,
                rests_on=rests_on,
                comparison=found.comparison if found.comparison in numbers else "",
            )
        )
    return rows


def outlook_rows(outlook: Outlook) -> list[tuple[str, str]]:
    """What will happen, as terms and sentences."""
    rows = [
        ("Decided", f"{counted(outlook.n_decided, 'span keeps its', 'spans keep their')} decision."),
        (
            "Open",
            f"{counted(outlook.n_open, 'span waits', 'spans wait')} for a decision, and "
            f"{'gives' if outlook.n_open == 1 else 'give'} way note by note, as the new suggestions come.",
        ),
        ("Read", _read_words(outlook)),
    ]
    names = ", ".join(str(certificate.number) for certificate in outlook.certificates)
    if names:
        many = len(outlook.certificates) > 1
        words = f"Certificate{'s' if many else ''} {names} end{'' if many else 's'}; what {'they' if many else 'it'} "
        rows.append(("Certificates", f"{words}accepted stays. The new labeler begins without one."))
    else:
        rows.append(("Certificates", "None is live. The new labeler begins without one."))
    if outlook.n_tests:
        rows.append(("Tests", f"{counted(outlook.n_tests, 'test')} end; what was held for them is asked as any other."))
    if outlook.n_runs:
        rows.append(("Runs", f"{_stops(outlook.n_runs)} What was found stays."))
    return rows


def _stops(n_runs: int) -> str:
    return "The run of the labeler before stops." if n_runs == 1 else f"{n_runs:,} runs of the labeler before stop."


def _read_words(outlook: Outlook) -> str:
    if not outlook.n_notes:
        return "No note waits for a decision, so none is read again."
    first = f", {outlook.n_new:,} of them for the first time" if outlook.n_new else ""
    return (
        f"{counted(outlook.n_notes, 'note')} {'is' if outlook.n_notes == 1 else 'are'} read by it{first}. "
        "Finished notes are not, nor those that somebody is reading blind."
    )


def _share(entry: Entry) -> str:
    if entry.accepted is None:
        return ""
    if entry.rejected is None or entry.edited is None:
        return f"{entry.accepted:.0%} taken unchanged, {1 - entry.accepted:.0%} changed or rejected"
    return f"{entry.accepted:.0%} taken unchanged, {entry.edited:.0%} changed, {entry.rejected:.0%} rejected"
