"""How a command that trains ends: by a signal, by the end of its input, by a refusal, or by an error.

0 done, 1 refused with one line, 2 other options are wanted, 130 stopped, 70 anything else. Of an error its class and
the places in the code are told, never its message: that may quote a note.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llm_labeler.backends import BackendError
from llm_labeler.finetune import FinetuneError

REFUSED, USAGE, FAILED, STOPPED = 1, 2, 70, 130  # argparse ends with USAGE itself


class Stop:
    """Whether SIGTERM or SIGINT has asked the training to end."""

    def __init__(self) -> None:
        self.is_asked = False

    @contextmanager
    def on_signal(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, *_: object) -> None:
        self.is_asked = True


def add_while_stdin(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--while-stdin", action="store_true", help="stop when standard input ends, as it does with whoever holds it"
    )


def ended(command: str, given: argparse.Namespace, work: Callable[[argparse.Namespace], int]) -> int:
    """The exit code of the command once its work is done, however that ends."""
    os.umask(0o077)
    if given.while_stdin:
        threading.Thread(target=_stop_with_stdin, daemon=True).start()
    try:
        return work(given)
    except (FinetuneError, BackendError) as refusal:
        print(f"{command}: {refusal}", file=sys.stderr)  # noqa: T201
        return REFUSED
    except Exception as error:
        places = "".join(traceback.format_tb(error.__traceback__))
        print(f"{places}{command}: failed ({type(error).__name__})", file=sys.stderr)  # noqa: T201
        return FAILED


def _stop_with_stdin() -> None:
    # Not by way of sys.stdin: a thread that waits in it keeps the interpreter from ending.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
