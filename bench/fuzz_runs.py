"""Damages a run in 1,000 ways and judges each copy: hotrow must never accept one as undamaged.

A damaged run is refused in one line (exit code 2) or reported (4, 3 or 1). From the root of the repository:
`python -m bench.fuzz_runs [--run results/…]`. Without `--run` it makes up a small run. Charts are drawn for
every fiftieth copy. It fails if a copy ends otherwise, or needs more than 10 s of CPU.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.support.run_fuzz import judge, try_damage, whole_run

MAX_SECONDS = 10.0


def main() -> int:
    """Damage the run again and again; return 1 if a copy was accepted as undamaged or took too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="a run that ended well")
    parser.add_argument("--damages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole = options.run or whole_run(Path(folder) / "whole")
        sound = judge(whole).code
        codes: Counter[int] = Counter()
        longest_s, accepted = 0.0, 0
        for number in range(options.damages):
            rng = random.Random(options.seed * 1_000_000 + number)  # noqa: S311 - random damages, no secrets
            began_s = time.process_time()
            trial = try_damage(whole, Path(folder) / "damaged", rng, draw=number % 50 == 0)
            longest_s = max(longest_s, time.process_time() - began_s)
            if trial.changed:
                codes[trial.ended.code] += 1
            if trial.changed and trial.ended.code == 0:
                accepted += 1
                print(f"accepted: {number}: {trial.damage}")
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"a run with exit code {sound}, damaged {codes.total()} times: {dict(sorted(codes.items()))}")
    print(f"{accepted} accepted; the longest took {longest_s:.1f} s of CPU; at most {memory_mb:.0f} MB")
    return int(accepted > 0 or longest_s > MAX_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
