"""Key skew: which keys transactions touch, from spread-out to a single hot row.

| written                              | meaning                                                          |
|--------------------------------------|------------------------------------------------------------------|
| `uniform`                            | every key alike                                                  |
| `zipf:THETA`                         | P(rank k) proportional to k^-THETA, 0 to 1000; 0 equals uniform  |
| `hotspot:SHARE_OF_KEYS:SHARE_OF_OPS` | that share of the keys takes that share of the draws; in (0, 1]  |
| `latest:THETA`                       | `zipf:THETA` with the highest key id hottest, the next below it  |
| `hot:K`                              | K keys alike take all draws; `hot` is `hot:1`                    |
| `file:PATH`                          | CSV `key,weight`; a key that is not listed is never drawn        |

Probabilities belong to ranks, 0 being the hottest. Except for `latest` and `file`, ranks are scattered over
the key ids by a bijection, so that hot keys are no neighbours in an index and no two ranks share a key.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hotrow.errors import UsageError
from hotrow.keys import MAX_KEYS
from hotrow.keys.ranks import Newest, scatter, steps, weighted
from hotrow.keys.weights import Weights, is_reference, keep_weights, kept_weights, read_weights
from hotrow.keys.zipf import zipf
from hotrow.units import decimal_number, shown, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from hotrow.keys.ranks import Placement, Ranks

_FORMS = "uniform, zipf:THETA, hotspot:SHARE_OF_KEYS:SHARE_OF_OPS, latest:THETA, hot:K, file:PATH"
_FILE = "file:"

_THETA_MAX = 1000.0
"""A larger one is a slip of the pen: from about 50 on the first key is certain to 16 digits."""

DRAWN_MAX = 10_000
"""Most keys of one transaction; Aurora DSQL lets it write 3,000 rows."""

_BLOCK = 256
"""Draws prefetched at a time: numpy's cost a call is spread, and 1,000 users still hold little memory."""

_TRIES = 8
"""Duplicates in a row before a key is drawn from the ranks that are left: certain, but ten times slower."""


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """A skew laid over a number of keys: probabilities by rank, and which key id each rank is."""

    spec: str
    keys: int
    ranks: Ranks
    placement: Placement

    @property
    def p_max(self) -> float:
        """Probability of the hottest key."""
        return self.ranks.p_max

    @property
    def d_eff(self) -> float:
        """1 / sum of p^2: how many equally likely keys the skew amounts to."""
        return 1.0 / self.ranks.square_sum

    @property
    def support(self) -> int:
        """How many ranks can be drawn at all (p > 0)."""
        return self.ranks.support

    def key_of(self, ranks: ArrayLike) -> NDArray[np.int64]:
        """The key ids of ranks: a bijection on 0 .. keys - 1, element by element."""
        return self.placement.key_of(np.asarray(ranks, dtype=np.uint64)).astype(np.int64)

    def rank_of(self, keys: ArrayLike) -> NDArray[np.int64]:
        """The ranks of key ids: the inverse of `key_of`."""
        return self.placement.rank_of(np.asarray(keys, dtype=np.uint64)).astype(np.int64)

    def hottest(self, keys: Sequence[int]) -> int:
        """The key id of lowest rank among at least one; costs about 0.3 us a key."""
        return min(keys, key=self.placement.rank_of_key)

    def probabilities(self) -> NDArray[np.float64]:
        """Probability by rank, hottest first, float64[keys]: 8 bytes a key."""
        return self.ranks.probabilities()

    def groups(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(p, count) of groups of alike ranks, for modelling: sum(p * count) = 1, ranks without p left out.

        Exact for uniform, hotspot and hot (one or two groups). Others have at most some 10,000 groups one by
        one and a tail in bins of 2 %, each with its mean p.
        """
        return self.ranks.groups()

    def sample(self, rng: np.random.Generator, size: int, first: int = 0) -> NDArray[np.int64]:
        """Draw `size` ranks with replacement, int64, on condition that none is hotter than rank `first`."""
        return self.ranks.sample(rng, size, first)


@dataclass(frozen=True, slots=True)
class Skew:
    """One skew, before it is known how many keys there are; make it with `parse_skew`."""

    name: str
    numbers: tuple[float, ...] = ()
    weights: Weights | None = None
    """Of `file`."""

    @property
    def spec(self) -> str:
        """The canonical text, as the cells of a run have it; `load_skew` reads it back.

        It has of a file the name and a digest, and not the folders.
        """
        if self.weights is not None:
            return f"{_FILE}{self.weights.reference}"
        if self.name == "hot" and self.numbers == (1,):
            return "hot"
        return ":".join([self.name, *(_plain(number) for number in self.numbers)])

    @property
    def meaning(self) -> Skew:
        """The plainest skew that draws alike over any number of keys: `uniform` for `zipf:0`."""
        return _UNIFORM if self.name in {"zipf", "latest"} and self.numbers == (0,) else self

    def table(self, keys: int) -> Table:
        """The table over `keys` keys; the last few are kept, so that all users of a cell share one.

        Raises:
            UsageError: too few or too many keys for this skew.
        """
        return _table(self, keys)


_UNIFORM = Skew("uniform")


@lru_cache(maxsize=4)
def _table(skew: Skew, keys: int) -> Table:
    if not 1 <= keys <= MAX_KEYS:
        raise UsageError(f"--keys {keys}: the number of keys must be from 1 to {MAX_KEYS}")
    return Table(skew.spec, keys, *_laid_out(skew, keys))


def _laid_out(skew: Skew, keys: int) -> tuple[Ranks, Placement]:
    """The ranks of a skew over `keys` keys, and where they lie."""
    match skew.name:
        case "zipf":
            return _zipf_or_even(skew.numbers[0], keys), scatter(keys)
        case "latest":
            return _zipf_or_even(skew.numbers[0], keys), Newest(keys)
        case "hotspot":
            return _hotspot(*skew.numbers, keys=keys), scatter(keys)
        case "hot":
            return _hot(int(skew.numbers[0]), keys), scatter(keys)
    if skew.weights is not None:
        return _from_weights(skew.weights, keys)
    return steps((1.0, keys)), scatter(keys)


def _zipf_or_even(theta: float, keys: int) -> Ranks:
    return zipf(theta, keys) if theta > 0 else steps((1.0, keys))


def _hotspot(share_of_keys: float, share_of_ops: float, *, keys: int) -> Ranks:
    """The hot set is rounded to whole keys, at least one; where it is all keys, they are all alike."""
    hot = min(keys, max(1, round(share_of_keys * keys)))
    if hot == keys:
        return steps((1.0, keys))
    return steps((share_of_ops, hot), (1.0 - share_of_ops, keys - hot))


def _hot(hot: int, keys: int) -> Ranks:
    if hot > keys:
        raise UsageError(
            f"--skew hot:{hot}: only {keys} keys exist; lower it, or raise --keys to {hot} or more"
        )
    return steps((1.0, hot), (0.0, keys - hot))


def _from_weights(weights: Weights, keys: int) -> tuple[Ranks, Placement]:
    listed = np.frombuffer(weights.keys, dtype=np.uint32)
    if listed[-1] >= keys:
        raise UsageError(
            f"--keys {keys}: --skew file: {weights.name!r} weighs key {listed[-1]}, and keys count from 0;"
            f" raise --keys to {int(listed[-1]) + 1} or more"
        )
    return weighted(listed, np.frombuffer(weights.weights), keys)


def parse_skew(text: str) -> Skew:
    """The skew that `text` describes, as `--skew` takes it; `file:PATH` is read and checked here.

    Raises:
        UsageError: an unknown form, a number out of its range, or a file that cannot be used.
    """
    name, _, rest = text.strip().partition(":")
    parts = rest.split(":") if rest else []
    match name, parts:
        case "uniform", []:
            return _UNIFORM
        case (("zipf" | "latest"), [theta]):
            return Skew(name, (_theta(text, theta),))
        case "hotspot", [share_of_keys, share_of_ops]:
            return Skew(name, (_share(text, "keys", share_of_keys), _share(text, "ops", share_of_ops)))
        case "hot", []:
            return Skew("hot", (1,))
        case "hot", [hot]:
            return Skew("hot", (_count(text, hot),))
        case "file", [_, *_]:
            return Skew("file", weights=read_weights(Path(rest)))
    raise UsageError(f"--skew {shown(text)} is not a skew; allowed: {_FORMS}")


def parse_skews(texts: Sequence[str]) -> tuple[Skew, ...]:
    """Several skews, in their order.

    Raises:
        UsageError: as `parse_skew`, or two of them draw alike.
    """
    skews: dict[Skew, Skew] = {}
    for text in texts:
        skew = parse_skew(text)
        twin = skews.setdefault(skew.meaning, skew)
        if twin is not skew:
            raise UsageError(f"--skew {shown(text)} draws as {twin.spec} does; give each skew once")
    return tuple(skews.values())


def keep_skews(directory: Path, skews: Sequence[Skew]) -> None:
    """Put the files that skews were read from into a run's directory. Raises RunError."""
    for skew in skews:
        if skew.weights is not None:
            keep_weights(directory, skew.weights)


def load_skew(spec: str, directory: Path) -> Skew:
    """The skew of a cell of a run, from its canonical text; the weights of a file as the run keeps them.

    Raises:
        UsageError: it is not one.
        RunError: its weights are not there, or not as they were.
    """
    if not spec.startswith(_FILE):
        return parse_skew(spec)
    return Skew("file", weights=kept_weights(directory, spec.removeprefix(_FILE)))


def keeps_weights(spec: str) -> bool:
    """Whether a run with a cell of this skew keeps weights for it."""
    return spec.startswith(_FILE) and is_reference(spec.removeprefix(_FILE))


def is_spelled_right(spec: str) -> bool:
    """Whether a text can be the skew of a cell, the weights of a file apart."""
    if spec.startswith(_FILE):
        return len(spec) > len(_FILE)
    try:
        parse_skew(spec)
    except UsageError:
        return False
    return True


def _theta(text: str, digits: str) -> float:
    theta = _finite(digits)
    if 0 <= theta <= _THETA_MAX:
        return theta + 0.0  # -0.0 becomes 0.0
    raise UsageError(
        f"--skew {shown(text)}: theta is {shown(digits)}; it must be a number of at least 0 and at most "
        f"{_THETA_MAX:g}"
    )


def _share(text: str, what: str, digits: str) -> float:
    share = _finite(digits)
    if 0 < share <= 1:
        return share
    raise UsageError(
        f"--skew {shown(text)}: the share of {what} is {shown(digits)}; it must be above 0 and at most 1"
    )


def _finite(digits: str) -> float:
    """The number that `digits` spell; NaN if they spell none, or no finite one."""
    number = decimal_number(digits)
    return math.nan if number is None else number


def _count(text: str, digits: str) -> int:
    hot = whole_number(digits)
    if hot is not None and 1 <= hot <= MAX_KEYS:
        return hot
    raise UsageError(
        f"--skew {shown(text)}: {shown(digits)} hot keys; it must be a whole number of at least 1"
    )


def _plain(number: float) -> str:
    return repr(float(number)).removesuffix(".0")


def check_keys(table: Table, keys_per_transaction: int) -> None:
    """Refuse a table with fewer keys than one transaction draws, and a transaction that draws too many.

    Raises:
        UsageError: so it is.
    """
    if keys_per_transaction > DRAWN_MAX:
        raise UsageError(
            f"a transaction of this scenario draws {keys_per_transaction} keys; at most {DRAWN_MAX} can be"
        )
    if table.keys < keys_per_transaction:
        raise UsageError(
            f"--keys {table.keys}: a transaction draws {keys_per_transaction} distinct keys;"
            f" raise --keys to {keys_per_transaction} or more"
        )


class KeySource:
    """The keys of one user (`hotrow.scenario.Keys`): drawn from `table` by the user's own generator.

    Draws without replacement: each further key of a draw has the skew's probabilities given that it is none
    of those before. Where the skew has fewer keys than a draw wants (`hot` and two accounts), the others are
    drawn uniformly from all that are left. A draw of one key costs about 0.5 us.
    """

    def __init__(self, table: Table, rng: np.random.Generator) -> None:
        self._table = table
        self._rng = rng
        self._support = table.support
        self._block: list[int] = []

    @property
    def count(self) -> int:
        """How many keys there are; ids run from 0."""
        return self._table.keys

    def draw(self, how_many: int = 1) -> tuple[int, ...]:
        """Draw `how_many` distinct key ids, in the order drawn.

        Raises:
            UsageError: there are not that many keys.
        """
        check_keys(self._table, how_many)
        drawn: list[int] = []
        while len(drawn) < how_many:
            drawn.append(self._another(drawn))
        return tuple(drawn)

    def _another(self, taken: list[int]) -> int:
        """A key by the skew that is none of `taken`."""
        if len(taken) >= self._support:
            return self._any_other(taken)
        for _ in range(_TRIES):
            key = self._next()
            if key not in taken:
                return key
        return self._colder(taken)

    def _next(self) -> int:
        if not self._block:
            self._block = self._table.key_of(self._table.sample(self._rng, _BLOCK)).tolist()
        return self._block.pop()

    def _colder(self, taken: list[int]) -> int:
        """Draw only from the hottest rank not taken on: its own share alone makes a success likely."""
        ranks = set(self._table.rank_of(taken).tolist())
        first = next(rank for rank in range(len(ranks) + 1) if rank not in ranks)
        while True:
            rank = int(self._table.sample(self._rng, 1, first)[0])
            if rank not in ranks:
                return int(self._table.key_of(rank))

    def _any_other(self, taken: list[int]) -> int:
        """One of all keys but `taken`, all alike: the n-th free one, found by stepping over the taken."""
        # A float has 53 bits and there are under 2^32 keys: the bias is under 1e-6 of any key's share.
        key = int(self._rng.random() * (self._table.keys - len(taken)))
        for other in sorted(taken):
            key += other <= key
        return key
