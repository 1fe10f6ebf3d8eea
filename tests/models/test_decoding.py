from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

from llm_labeler.backends.decoding import Decoder, Row
from tests.models.tiny_gemma import save_tiny_gemma

# Many, so that a random model's answers end at different times.
STOPS = frozenset(range(1, 512, 20))
COMMON = list(range(20, 60))
# Prompts of 3 to 90 tokens, most of them longer than the sliding window of 16, in no order.
PROMPTS = [[2, *COMMON[: 40 - n], *range(100, 103 + 7 * n)] for n in (3, 0, 7, 1, 5, 2, 6)]
N_TOKENS = 1 << 20
MOST = 16


@pytest.fixture(scope="module")
def model(tiny_gemma: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_gemma).eval()


def rows_for(prompts: Sequence[list[int]], **options: Any) -> list[Row]:
    return [Row(prompt=prompt, **{"max_tokens": MOST, **options}) for prompt in prompts]


def filled(model: Any, rows: list[Row], n_rows: int = 3, n_tokens: int = N_TOKENS) -> list[Row]:
    done = list(Decoder(model, STOPS).fill(rows, n_rows=n_rows, n_tokens=n_tokens))
    assert sorted(map(id, done)) == sorted(map(id, rows))
    return rows


def tokens_of(rows: list[Row]) -> list[list[int]]:
    return [[chosen.token for chosen in row.made] for row in rows]


def generated(model: Any, prompt: list[int]) -> tuple[list[int], list[float]]:
    """What the library's own generation gives for the prompt alone: tokens before the end, with log-probabilities."""
    out = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        do_sample=False,
        max_new_tokens=MOST,
        eos_token_id=sorted(STOPS),
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    found = out.sequences[0, len(prompt) :].tolist()
    logprobs = [float(torch.log_softmax(step[0], -1)[token]) for step, token in zip(out.logits, found, strict=True)]
    n_kept = next((place for place, token in enumerate(found) if token in STOPS), len(found))
    return found[:n_kept], logprobs[:n_kept]


@pytest.fixture(scope="module")
def wanted(model: Any) -> list[tuple[list[int], list[float]]]:
    return [generated(model, prompt) for prompt in PROMPTS]


@pytest.mark.parametrize("n_rows", [1, 3, 16])
def test_rows_read_as_the_librarys_own_generation_token_for_token(
    model: Any, wanted: list[tuple[list[int], list[float]]], n_rows: int
) -> None:
    rows = filled(model, rows_for(PROMPTS), n_rows)
    assert tokens_of(rows) == [tokens for tokens, _ in wanted]
    assert len({len(tokens) for tokens, _ in wanted}) > 2
    for row, (_, logprobs) in zip(rows, wanted, strict=True):
        assert [chosen.logprob for chosen in row.made] == pytest.approx(logprobs, abs=1e-4)


def test_a_model_with_a_vision_tower_reads_text_as_the_library_does(tmp_path: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(save_tiny_gemma(tmp_path, is_multimodal=True)).eval()
    rows = filled(model, rows_for(PROMPTS[:3]))
    assert tokens_of(rows) == [generated(model, prompt)[0] for prompt in PROMPTS[:3]]


def test_prompts_that_share_nothing_or_all_are_read_alike(model: Any) -> None:
    apart = [[number, *COMMON] for number in (2, 100, 101)]
    assert tokens_of(filled(model, rows_for(apart))) == [generated(model, prompt)[0] for prompt in apart]
    same = [PROMPTS[0]] * 3
    assert tokens_of(filled(model, rows_for(same))) == [generated(model, PROMPTS[0])[0]] * 3
    short = [[2, 100], [101, 102]]
    assert tokens_of(filled(model, rows_for(short))) == [generated(model, prompt)[0] for prompt in short]


def test_the_shared_beginning_is_computed_once_and_kept(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    forward = model.base_model.forward

    def counted(input_ids: torch.Tensor, **options: Any) -> Any:
        seen.append(input_ids.numel())
        return forward(input_ids=input_ids, **options)

    monkeypatch.setattr(model.base_model, "forward", counted)
    decoder = Decoder(model, STOPS)
    prompts = [[2, *COMMON, *tail] for tail in ([100, 101], [102, 103, 104], [105])]
    first = rows_for(prompts, max_tokens=1)
    list(decoder.fill(first, n_rows=3, n_tokens=N_TOKENS))
    # The beginning, the rests but for their last tokens in one padded batch, one step.
    assert seen == [41, 3 * 2, 3]
    seen.clear()
    list(decoder.fill(rows_for(prompts, max_tokens=1), n_rows=3, n_tokens=N_TOKENS))
    assert seen == [3 * 2, 3]
    decoder.forget()
    list(decoder.fill(rows_for(prompts, max_tokens=1), n_rows=3, n_tokens=N_TOKENS))
    assert seen[2:] == [41, 3 * 2, 3]


def test_a_kept_beginning_serves_a_shorter_one(model: Any) -> None:
    decoder = Decoder(model, STOPS)
    list(decoder.fill(rows_for([[2, *COMMON, 100]]), n_rows=1, n_tokens=N_TOKENS))
    shorter = [[2, *COMMON[:35], tail, 101] for tail in (102, 103)]
    rows = rows_for(shorter)
    list(decoder.fill(rows, n_rows=2, n_tokens=N_TOKENS))
    assert tokens_of(rows) == [generated(model, prompt)[0] for prompt in shorter]


def test_a_batch_stays_within_its_rows_and_tokens(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, int]] = []
    forward = model.forward

    def counted(**options: Any) -> Any:
        sizes.append(tuple(options["attention_mask"].shape))
        return forward(**options)

    monkeypatch.setattr(model, "forward", counted)
    filled(model, rows_for(PROMPTS, max_tokens=8), n_rows=4)
    assert max(n_rows for n_rows, _ in sizes) == 4
    sizes.clear()
    filled(model, rows_for(PROMPTS, max_tokens=8), n_rows=4, n_tokens=220)
    assert max(n_rows * n_columns for n_rows, n_columns in sizes) <= 220
    assert max(n_rows for n_rows, _ in sizes) > 1
    sizes.clear()
    filled(model, rows_for(PROMPTS, max_tokens=8), n_rows=4, n_tokens=1)
    assert {n_rows for n_rows, _ in sizes} == {1}


def test_an_answer_at_its_bound_is_cut_and_one_that_ends_is_not(model: Any) -> None:
    for row in filled(model, rows_for(PROMPTS)):
        assert row.is_cut == (len(row.made) == MOST)


def test_the_likeliest_tokens_come_best_first(model: Any) -> None:
    one, other = rows_for(PROMPTS[:2], max_tokens=4, n_top=3), rows_for(PROMPTS[:2], max_tokens=4)
    filled(model, [*one, *other])
    for chosen in one[0].made:
        assert chosen.top[0] == (chosen.token, chosen.logprob)
        assert [logprob for _, logprob in chosen.top] == sorted((logprob for _, logprob in chosen.top), reverse=True)
        assert len(chosen.top) == 3
    assert not any(chosen.top for row in other for chosen in row.made)


def test_drawn_answers_are_the_seeds_own_whatever_runs_beside_them(model: Any) -> None:
    alone = tokens_of(filled(model, [Row(prompt=PROMPTS[0], max_tokens=MOST, temperature=1.0, seed=5)]))[0]
    together = filled(
        model, [Row(prompt=PROMPTS[0], max_tokens=MOST, temperature=1.0, seed=seed) for seed in range(8)], n_rows=16
    )
    assert tokens_of(together)[5] == alone
    assert len({tuple(tokens) for tokens in tokens_of(together)}) > 4


def test_a_low_temperature_draws_what_greedy_takes(model: Any, wanted: list[tuple[list[int], list[float]]]) -> None:
    rows = filled(model, rows_for(PROMPTS[:3], temperature=1e-4))
    assert tokens_of(rows) == [tokens for tokens, _ in wanted[:3]]


def test_a_row_that_goes_idle_is_cut_off_and_others_are_not(model: Any) -> None:
    whole = tokens_of(filled(model, rows_for(PROMPTS)))
    place = max(range(len(whole)), key=lambda index: len(whole[index]))
    rows = rows_for(PROMPTS)
    told: list[int] = []

    def is_idle(token: int) -> bool:
        told.append(token)
        return len(told) == 3

    rows[place].is_idle = is_idle
    filled(model, rows)
    assert rows[place].is_cut
    assert told == whole[place][:3]
    assert tokens_of(rows) == [told if index == place else tokens for index, tokens in enumerate(whole)]
