"""Trains the next labeler from a dataset: `python -m llm_labeler finetune BUILD --base … --out …`.

What is learnt is a LoRA adapter (Hu et al. 2021, arXiv:2106.09685) by TRL and PEFT; with `--quantization 4bit` on a
base in four bits (QLoRA, arXiv:2305.14314). The model learns answers only, not the prompts before them. Rows of the
part `test` are never opened. `python -m llm_labeler train-spacy` trains a spaCy pipeline instead, in minutes.
"""


class FinetuneError(Exception):
    """Something that cannot be trained; one sentence that says why and what to do, never with a note's text."""
