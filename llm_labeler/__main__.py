"""`python -m llm_labeler evaluate …`"""

from __future__ import annotations

import sys

from llm_labeler import evaluate

COMMANDS = {"evaluate": evaluate.main}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in COMMANDS:
        print(f"usage: python -m llm_labeler {{{','.join(COMMANDS)}}} …", file=sys.stderr)
        return 2
    return COMMANDS[arguments[0]](arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
