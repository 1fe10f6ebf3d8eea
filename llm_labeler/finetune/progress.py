"""What a training tells while it runs: a line of numbers every few steps, in a file that others read as it grows."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """What was known at one step; what was not measured there is None. Seconds are of training, without pauses."""

    step: int
    n_steps: int
    epoch: float
    loss: float | None
    dev_loss: float | None
    dev_f1: float | None
    seconds: float
    seconds_left: float | None

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Point:
        return cls(**{one.name: given.get(one.name) for one in fields(cls)})  # type: ignore[arg-type]

    @property
    def words(self) -> str:
        """For a person who watches the command."""
        measured = {"loss": self.loss, "dev loss": self.dev_loss, "dev F1": self.dev_f1}
        told = ", ".join(f"{name} {value:.4g}" for name, value in measured.items() if value is not None)
        left = f", {self.seconds_left:.0f} s left" if self.seconds_left is not None else ""
        return f"step {self.step}/{self.n_steps}: {told}; {self.seconds:.0f} s{left}"


def add_point(path: Path, point: Point) -> None:
    """A line more, readable by this user alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(point)) + "\n")


def read_points(path: Path) -> list[Point]:
    """All lines that are whole; none where there is no file."""
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    return [Point.from_json(json.loads(line)) for line in whole.splitlines()]


def keep_until(path: Path, step: int) -> float:
    """Forget the lines behind the step, from which a run goes on; the seconds that it had taken until there."""
    points = [point for point in read_points(path) if point.step <= step]
    path.unlink(missing_ok=True)
    for point in points:
        add_point(path, point)
    return points[-1].seconds if points else 0.0
