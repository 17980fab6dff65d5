"""Gives 100,000 random texts to each parser of the command line, and measures time and memory.

From the root of the repository: `python -m bench.fuzz_parsers`. It fails if a parser raises anything other
than a UsageError of one printable line, or needs more than 1 s for a text.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time

from tests.support.parser_fuzz import PARSERS, Parser, refused, text_for

MAX_SECONDS = 1.0
HUGE = 1_000_000
"""How often a huge text repeats a piece."""


def main() -> int:
    """Try every parser; return 1 if one was too slow."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--texts", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    slowest_s = max(
        _try(name, parser, options.texts, random.Random(f"{options.seed} {name}"))  # noqa: S311 - random texts, no secrets
        for name, parser in PARSERS.items()
    )
    return int(slowest_s > MAX_SECONDS)


def _try(name: str, parser: Parser, texts: int, rng: random.Random) -> float:
    """Print the results for `texts` texts, of which every 1,000th is huge; return the longest CPU time."""
    longest_s, refusals, began_s = 0.0, 0, time.perf_counter()
    for number in range(texts):
        text = text_for(parser, rng, huge=HUGE if number % 1000 == 0 else 0)
        start_s = time.process_time()
        refusals += refused(parser, text)
        longest_s = max(longest_s, time.process_time() - start_s)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name}: {texts} texts, {refusals} refused, in {time.perf_counter() - began_s:.0f} s; "
        f"longest {longest_s * 1e3:.1f} ms; at most {memory_mb:.0f} MB",
        flush=True,
    )
    return longest_s


if __name__ == "__main__":
    sys.exit(main())
