"""`python -m llm_labeler evaluate …`, `finetune …` and `train-spacy …`. None of them asks anything of the hub."""

from __future__ import annotations

import os
import sys
from importlib import import_module

COMMANDS = {
    "evaluate": "llm_labeler.evaluate",
    "finetune": "llm_labeler.finetune.command",
    "train-spacy": "llm_labeler.finetune.spacy_command",
}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in COMMANDS:
        print(f"usage: python -m llm_labeler {{{','.join(COMMANDS)}}} …", file=sys.stderr)
        return 2
    code: int = import_module(COMMANDS[arguments[0]]).main(arguments[1:])
    return code


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"  # read as the library is loaded; without it TRL reports each training to the hub
    sys.exit(main(sys.argv[1:]))
