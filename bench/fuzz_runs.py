"""Damages 1,000 runs: each is refused in one line (exit code 2) or reported (4, 3 or 1), never accepted.

From the root of the repository: `python -m bench.fuzz_runs [--run results/…]`. Without `--run` a small run is
made up. Every fiftieth is drawn too. Fails if one ends otherwise, or takes more CPU than 10 s.
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

SECONDS_MAX = 10.0


def main() -> int:
    """Damage this number of runs; return 1 if one was accepted as undamaged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="a run that ended well")
    parser.add_argument("--damages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole = wanted.run or whole_run(Path(folder) / "whole")
        sound = judge(whole).code
        codes: Counter[int] = Counter()
        longest_s, believed = 0.0, 0
        for number in range(wanted.damages):
            rng = random.Random(wanted.seed * 1_000_000 + number)  # noqa: S311 - chosen damages, no secrets
            began_s = time.process_time()
            trial = try_damage(whole, Path(folder) / "damaged", rng, draw=number % 50 == 0)
            longest_s = max(longest_s, time.process_time() - began_s)
            if trial.changed:
                codes[trial.ended.code] += 1
            if trial.changed and trial.ended.code == 0:
                believed += 1
                print(f"believed: {number}: {trial.damage}")
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"a run with exit code {sound}, damaged {codes.total()} times: {dict(sorted(codes.items()))}")
    print(f"{believed} believed; the longest took {longest_s:.1f} s of CPU; at most {memory_mb:.0f} MB")
    return int(believed > 0 or longest_s > SECONDS_MAX)


if __name__ == "__main__":
    sys.exit(main())
