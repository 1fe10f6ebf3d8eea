"""A second question about each span: does this label fit these words? Answered by one token, yes or no."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from annotator.core.prompting import COMPACT, answer_schema, render_messages
from annotator.core.schema import Schema
from llm_labeler.backends import Answer, Constraint, Request
from llm_labeler.confidence import Signals
from llm_labeler.labelled import LabelledSpan

# Answers may begin with other words; of these many alternatives, yes and no are looked for.
N_ALTERNATIVES = 20
_ASKED = (
    "In the note below, is the passage {quote} rightly marked as {label}?\n{label}: {definition}\n"
    "Answer with one word: yes or no."
)


def recheck_request(schema: Schema, chunk_text: str, labelled: LabelledSpan, seed: int) -> Request:
    """What asks about `labelled`, found in the window `chunk_text`."""
    (label,) = (label for label in schema.labels if label.name == labelled.label)
    asked = _ASKED.format(
        quote=json.dumps(labelled.quote, ensure_ascii=False),
        label=label.name,
        definition=" ".join(label.definition.split()),
    )
    (message,) = render_messages(schema, chunk_text, template=COMPACT)
    return Request(
        messages=[message | {"content": f"{asked}\n\n{message['content']}"}],
        schema=answer_schema(schema),
        seed=seed,
        max_tokens=1,
        constraint=Constraint.NONE,
        n_top=N_ALTERNATIVES,
    )


def recheck_signals(answers: Sequence[Answer]) -> Signals:
    """`yes_share`: of the probability of yes or no, the share of yes; empty where the model says neither."""
    tokens = answers[0].tokens if answers else ()
    if not tokens:
        return {}
    said = {"yes": 0.0, "no": 0.0}
    for text, logprob in dict([*tokens[0].top, (tokens[0].text, tokens[0].logprob)]).items():
        word = text.strip().casefold()
        if word in said:
            said[word] += math.exp(logprob)
    total = sum(said.values())
    return {"yes_share": said["yes"] / total} if total > 0 else {}
