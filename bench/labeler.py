"""Throughput of the labeler, against the bare model on the same batch in the same run.

    PYTHONPATH=. python bench/labeler.py [--model ID_OR_FOLDER] [--notes 8] [--batch-size 8]
    PYTHONPATH=. python bench/labeler.py --url http://127.0.0.1:8080 [--model NAME] [--concurrency 4]

"Ours" is the backend as notes are labelled with it: copy constraint, log-probabilities, alternatives for each token.
"Bare" is the library's own `generate` over the same prompts in batches of the same size, greedy, without constraint or
scores, for as many tokens as our longest answer of each batch has; for a server, the same requests side by side without
constraint or scores, for as many tokens as our answers have. Tokens are those of our answers in both. The two take
turns, and the best round of each counts. On a CPU seconds are the processor's, so that other programs count little.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from annotator.core.chunks import chunks
from annotator.core.prompting import COMPACT, FULL, answer_schema, render_messages
from annotator.core.schema import schema_from_json
from llm_labeler.backends import Answer, Backend, Constraint, Request, load_backend
from llm_labeler.chat import safe_messages

DEMO = Path(__file__).parent.parent / "annotator" / "demo"
N_TOP = 10
WINDOWS = {COMPACT: (300, 0), FULL: (1500, 150)}


def requests_of(n_notes: int, template: str, constraint: str, max_tokens: int) -> list[Request]:
    """The prompts of the demo's shortest notes."""
    schema = schema_from_json(json.loads((DEMO / "schema.json").read_text()))
    texts = sorted((path.read_text() for path in (DEMO / "notes").glob("*.txt")), key=len)[:n_notes]
    return [
        Request(
            messages=render_messages(schema, text[part.start : part.end], template=template),
            schema=answer_schema(schema),
            max_tokens=max_tokens,
            constraint=Constraint(constraint),
            n_top=N_TOP,
        )
        for text in texts
        for part in chunks(text, *WINDOWS[template])
    ]


def n_tokens(answers: Sequence[Sequence[Answer]]) -> list[int]:
    return [len(answer.tokens) for (answer,) in answers]


def alternated(
    ours: Callable[[], Any], bare: Callable[[Any], Any], clock: Callable[[], float], rounds: int
) -> tuple[float, float, Any]:
    """Seconds of the best round of each, and what ours gave. What ours gave is what bare is asked for."""
    mine, theirs, given = [], [], None
    for _ in range(rounds):
        began = clock()
        given = ours()
        mine.append(clock() - began)
        began = clock()
        bare(given)
        theirs.append(clock() - began)
    return min(mine), min(theirs), given


def by_torch(given: argparse.Namespace, requests: list[Request]) -> tuple[Backend, float, float, Any]:
    import torch

    from llm_labeler.backends.transformers import TransformersBackend
    from llm_labeler.backends.weights import load_weights

    weights = load_weights(
        model=given.model,
        revision=None,
        adapter=given.adapter,
        device=given.device,
        dtype=given.dtype,
        quantization=given.quantization,
    )
    backend = TransformersBackend(weights, batch_size=given.batch_size, max_batch_tokens=None)
    backend.generate([Request(messages=requests[0].messages, schema=requests[0].schema, max_tokens=2)])
    model, device = weights.model, weights.model.device
    prompts = [backend.prompt_tokens(request) for request in requests]
    n_rows = given.batch_size or backend.group_size // 2

    def bare(answers: Any) -> None:
        lengths = n_tokens(answers)
        order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]), reverse=True)
        for batch in (order[place : place + n_rows] for place in range(0, len(order), n_rows)):
            width = max(len(prompts[number]) for number in batch)
            ids = torch.tensor([[0] * (width - len(prompts[n])) + prompts[n] for n in batch], device=device)
            mask = torch.tensor([[0] * (width - len(prompts[n])) + [1] * len(prompts[n]) for n in batch], device=device)
            longest = max(lengths[number] for number in batch)
            with torch.inference_mode():
                model.generate(
                    ids,
                    attention_mask=mask,
                    do_sample=False,
                    min_new_tokens=longest,
                    max_new_tokens=longest,
                    pad_token_id=0,
                ).cpu()

    clock = time.process_time if device.type == "cpu" else time.perf_counter
    return backend, *alternated(lambda: backend.generate(requests), bare, clock, given.rounds)


def by_server(given: argparse.Namespace, requests: list[Request]) -> tuple[Backend, float, float, Any]:
    import httpx2

    options = {"concurrency": given.concurrency} if given.concurrency else {}
    backend = load_backend("openai", url=given.url, model=given.model, api_key=given.api_key, **options)

    async def asked(answers: Any) -> None:
        slots = asyncio.Semaphore(backend.group_size)
        headers = {"Authorization": f"Bearer {given.api_key}"} if given.api_key else {}
        async with httpx2.AsyncClient(base_url=given.url, headers=headers, timeout=600, trust_env=False) as http:

            async def ask(request: Request, length: int) -> None:
                body = {
                    "model": given.model,
                    "messages": safe_messages(request.messages),
                    "temperature": 0,
                    "max_tokens": length,
                    "ignore_eos": True,
                }
                async with slots:
                    (await http.post("/v1/chat/completions", json=body)).raise_for_status()

            await asyncio.gather(*(map(ask, requests, n_tokens(answers))))

    def ours() -> list[list[Answer]]:
        return backend.generate(requests)

    return backend, *alternated(ours, lambda answers: asyncio.run(asked(answers)), time.perf_counter, given.rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="measure this OpenAI-compatible server")
    parser.add_argument("--api-key")
    parser.add_argument("--concurrency", type=int)
    parser.add_argument("--model", help="default: the small model with our adapter")
    parser.add_argument("--adapter")
    parser.add_argument("--device")
    parser.add_argument("--dtype")
    parser.add_argument("--quantization")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--notes", type=int, default=8)
    parser.add_argument("--template", choices=[COMPACT, FULL], default=COMPACT)
    parser.add_argument("--constraint", choices=list(Constraint), default=Constraint.COPY)
    parser.add_argument("--max-tokens", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    requests = requests_of(given.notes, given.template, given.constraint, given.max_tokens)
    backend, mine, theirs, answers = (by_server if given.url else by_torch)(given, requests)
    total = sum(n_tokens(answers))
    print(f"{backend.model_id} {backend.revision}: {given.notes} notes, {len(requests)} prompts, {total} tokens\n")
    print("| | seconds | notes/s | tokens/s |\n|---|---|---|---|")
    for name, seconds in (("ours", mine), ("bare", theirs)):
        print(f"| {name} | {seconds:.1f} | {given.notes / seconds:.2f} | {total / seconds:.1f} |")
    print(f"\nratio {theirs / mine:.2f}")


if __name__ == "__main__":
    main()
