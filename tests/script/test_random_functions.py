"""Random functions, hash functions and permutations are pgbench's own: equal seeds give equal numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from scipy.stats import chisquare

from hotrow.script import prng
from hotrow.script.hashes import fnv1a, murmur2, permute
from hotrow.script.prng import seeded
from tests.support.scripting import debugged, find_pgbench

if TYPE_CHECKING:
    from pathlib import Path

SEED = 42
"""Of pgbench's `--random-seed`. The first number of this generator seeds its first client."""
DRAWS = (
    ("random(1, 1000000)", lambda g: prng.uniform(g, 1, 1_000_000)),
    ("random_zipfian(1, 1000, 1.1)", lambda g: prng.zipfian(g, 1, 1000, 1.1)),
    ("random_exponential(1, 1000, 3.0)", lambda g: prng.exponential(g, 1, 1000, 3.0)),
    ("random(-5, 5)", lambda g: prng.uniform(g, -5, 5)),
    ("random_gaussian(1, 1000, 3.0)", lambda g: prng.gaussian(g, 1, 1000, 3.0)),
    ("random_zipfian(1, 10, 2.5)", lambda g: prng.zipfian(g, 1, 10, 2.5)),
    ("random(1, 9000000000000000000)", lambda g: prng.uniform(g, 1, 9_000_000_000_000_000_000)),
)
FIRST = [668251, 7, 20, -1, 260, 2, 6543853349698237858, 103632, 3, 211, 3, 638, 1, 5810683812034622292]
"""What pgbench 18.6 drew in two executions of a script with these draws."""


def drawn(executions: int) -> list[int]:
    """The same draws by this project's functions."""
    generator = seeded(seeded(SEED).bits())
    return [draw(generator) for _ in range(executions) for _, draw in DRAWS]


def test_draws_are_those_of_pgbench() -> None:
    """Every distribution, with the numbers kept from pgbench."""
    assert drawn(2) == FIRST


def test_many_draws_are_those_of_pgbench(hotrow_home: Path, tmp_path: Path) -> None:
    """300 executions of pgbench itself, if there is one."""
    assert hotrow_home
    program = find_pgbench()
    if program is None:
        pytest.skip("there is no pgbench of PostgreSQL 17 or newer")

    options = ["-t300", f"--random-seed={SEED}", "-D", "default_seed=1"]
    assert debugged(program, [text for text, _ in DRAWS], tmp_path, *options) == drawn(300)


@pytest.mark.parametrize("parameter", [1.2, 2.0])
def test_zipfian_has_the_weights_of_its_definition(parameter: float) -> None:
    """Number k has a weight of k ** -parameter."""
    generator, size, draws = seeded(1), 20, 20_000
    weights = [rank**-parameter for rank in range(1, size + 1)]

    counts = Counter(prng.zipfian(generator, 1, size, parameter) for _ in range(draws))

    expected = [draws * weight / sum(weights) for weight in weights]
    assert chisquare([counts[rank] for rank in range(1, size + 1)], expected).pvalue > 0.001


def test_a_generator_goes_on_from_its_state() -> None:
    """A retry depends on it."""
    generator = seeded(7)
    generator.bits()
    copy = prng.Prng(generator.state)

    assert [generator.bits() for _ in range(5)] == [copy.bits() for _ in range(5)]


@pytest.mark.parametrize(
    ("value", "size", "seed", "position"),
    [
        (0, 2, 1, 1),
        (0, 1, 0, 0),
        (3, 10, 5, 9),
        (-1, 1000, 99, 776),
        (123456, 1_000_000, 7, 566145),
        (5, 2**63 - 1, -7, 4951331677087439039),
    ],
)
def test_permute_is_that_of_pgbench(value: int, size: int, seed: int, position: int) -> None:
    """Positions kept from pgbench 18.6."""
    assert permute(value, size, seed) == position


@pytest.mark.parametrize("size", [1, 2, 7, 8, 100])
def test_permute_leaves_no_holes(size: int) -> None:
    """Each position is taken once."""
    assert sorted(permute(value, size, 5) for value in range(size)) == list(range(size))


def test_hashes_are_those_of_the_documentation() -> None:
    """The examples in pgbench's documentation."""
    assert murmur2(10, 5432) == -5817877081768721676
    assert fnv1a(10, 5432) == -7793829335365542153
