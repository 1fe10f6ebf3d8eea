"""How much certificates accept unseen, and how often they are false, in batches whose truth is known.

    python bench/certificates.py [--worlds 200] [--n 6000 …] [--target .95 …] [--seed 0] [--jobs 1]
    python bench/certificates.py --world flat --worlds 1000 --n 3000

Each ordinary world is gone through as the protocol has it (docs/certificates.md): 300 decisions, the most uncertain
first, fit the calibrator; the ladder is planned; audits come in random order, and every decision is a look, until going
on is worth nothing. Then all is audited, to see whether any claim could ever have been false. "Oracle" is the largest
region that keeps the promise, by one who knows every label and pays for none; "net" is what was certified less the
audits inside.
In adversarial worlds every decision is a look, nobody stops, and a single false claim counts. What is drawn, and what
`--notes` is, `bench/certificate_worlds.py` says. Intervals are those of Clopper and Pearson, 95 %.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import mean, median

# One thread to a process: the arrays are small.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotator.core.certificates import Promise
from bench.certificate_worlds import ADVERSARIAL, KINDS, N_WATCHED, SHAPES, Outcome, run_world

REVOKED = {
    "in_batch": "the rest of the region",
    "of_new": "new suggestions, as good as the region",
    "at_limit": "new suggestions, just as good as promised",
}
DETECTED = {
    "after_five": "5 points below the promise",
    "after_ten": "10 points below the promise",
    "late_five": "5 points, after 500 good ones",
    "late_ten": "10 points, after 500 good ones",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=200, help="of each size, target and kind")
    parser.add_argument("--n", type=int, nargs="+", default=[6000], help="suggestions of a world")
    parser.add_argument("--target", type=float, nargs="+", default=[0.95])
    parser.add_argument("--delta", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--world", choices=[*SHAPES, "ordinary", *ADVERSARIAL, "all"], default="all")
    parser.add_argument("--notes", choices=list(KINDS), default="unseen", help="whether scores know a note's effect")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    worlds = ["ordinary", *ADVERSARIAL] if options.world == "all" else [options.world]
    with ProcessPoolExecutor(options.jobs) as pool:
        for target in options.target:
            promise = Promise(target, options.delta)
            for n in options.n:
                for world in worlds:
                    run = partial(run_world, options.seed, n=n, promise=promise, world=world, notes=options.notes)
                    began = time.perf_counter()
                    found = list(pool.map(run, range(options.worlds), chunksize=2))
                    seconds = time.perf_counter() - began
                    report = adversarial if world in ADVERSARIAL else ordinary
                    print(f"\n{world}, N = {n:,}, target {target}, delta {options.delta}: ", end="")
                    print(f"{len(found)} worlds, seed {options.seed}, notes {options.notes}, {seconds:.0f} s")
                    report(found)
                    sys.stdout.flush()


def ordinary(found: Sequence[Outcome]) -> None:
    """Shares, all worlds pooled and by shape; false claims; what later audits make of the certificates."""
    print("| worlds | oracle | net | net/oracle | certified/oracle | people decide | audits (inside) |")
    print("|---|---|---|---|---|---|---|")
    shapes = [name for name in SHAPES if any(one.world == name for one in found)]
    for name in [*shapes, "all"] if len(shapes) > 1 else shapes:
        rows = [one for one in found if name in ("all", one.world)]
        total, oracle = sum(one.n for one in rows), sum(one.oracle for one in rows)
        net, certified = sum(one.net for one in rows), sum(one.certified for one in rows)
        print(
            f"| {name} | {oracle / total:.3f} | {net / total:.3f} | {net / oracle:.3f} | {certified / oracle:.3f}"
            f" | {1 - net / total:.3f} | {mean(one.audits for one in rows):.0f}"
            f" ({mean(one.audits_inside for one in rows):.0f}) |"
        )
    print(f"no certificate: {share(one.certified == 0 for one in found)}")
    print(f"false certificates: {share(one.is_false for one in found)}")
    print(f"any false claim, had auditing gone on to the end: {share(one.is_any_false for one in found)}")
    watched = [one.revocations for one in found if one.revocations]
    for name, words in REVOKED.items():
        print(f"revoked falsely, {words}: {share(getattr(one, name) is not None for one in watched)}")
    for name, words in DETECTED.items():
        times = [getattr(one, name) for one in watched]
        # One that was revoked before the fall says nothing of it.
        times = [N_WATCHED + 1 if at is None else at for at in times if at is None or at > 0]
        if times:
            late = sum(at > N_WATCHED for at in times) / len(times)
            print(
                f"audits that find {words}: median {median(times):.0f}, nine in ten within "
                f"{sorted(times)[int(0.9 * len(times))]}{f', more than {N_WATCHED}: {late:.0%}' if late else ''}"
            )


def adversarial(found: Sequence[Outcome]) -> None:
    print(
        f"any false claim: {share(one.is_any_false for one in found)}; {mean(one.audits for one in found):.0f} audits"
    )


def share(of: Iterable[bool]) -> str:
    """How many of how many, and the interval of Clopper & Pearson (1934)."""
    from scipy.stats import beta

    values = list(of)
    n, k = len(values), sum(values)
    if not n:
        return "none to count"
    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return f"{k}/{n} = {k / n:.3f} ({low:.3f}, {high:.3f})"


if __name__ == "__main__":
    main()
