"""Key skew: how transactions choose their keys, from all keys alike to a single hot row.

| text                                 | meaning                                                          |
|--------------------------------------|------------------------------------------------------------------|
| `uniform`                            | all keys are equally likely                                      |
| `zipf:THETA`                         | P(rank k) proportional to k^-THETA, 0 to 1000; 0 equals uniform  |
| `hotspot:SHARE_OF_KEYS:SHARE_OF_OPS` | this share of the keys takes this share of the draws; in (0, 1]  |
| `latest:THETA`                       | `zipf:THETA`; the highest key id is the hottest                  |
| `hot:K`                              | K equally likely keys take all draws; `hot` is `hot:1`           |
| `file:PATH`                          | CSV `key,weight`; a key that is not listed is never drawn        |

Probabilities belong to ranks; rank 0 is the hottest. Except for `latest` and `file`, a bijection scatters the
ranks over the key ids, so that hot keys are not neighbours in an index.
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
from hotrow.units import decimal_number, quoted, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from hotrow.keys.ranks import Placement, Ranks

_FORMS = "uniform, zipf:THETA, hotspot:SHARE_OF_KEYS:SHARE_OF_OPS, latest:THETA, hot:K, file:PATH"
_FILE = "file:"

_MAX_THETA = 1000.0
"""A larger value is a typing error: from about 50 on the first key is certain to 16 digits."""

MAX_KEYS_DRAWN = 10_000
"""The largest number of keys per transaction; Aurora DSQL lets it write 3,000 rows."""

_BLOCK = 256
"""Keys that a user draws in advance: they share the cost of a numpy call and need little memory."""

_TRIES = 8
"""Duplicates in a row, after which a key is drawn from the ranks that are left: certain, but slower."""


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """A skew for a given number of keys: the probability of each rank, and the key id of each rank."""

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
        """How many ranks have p > 0."""
        return self.ranks.support

    def key_of(self, ranks: ArrayLike) -> NDArray[np.int64]:
        """The key ids of ranks: a bijection on 0 .. keys - 1, element by element."""
        return self.placement.key_of(np.asarray(ranks, dtype=np.uint64)).astype(np.int64)

    def rank_of(self, keys: ArrayLike) -> NDArray[np.int64]:
        """The ranks of key ids: the inverse of `key_of`."""
        return self.placement.rank_of(np.asarray(keys, dtype=np.uint64)).astype(np.int64)

    def hottest(self, keys: Sequence[int]) -> int:
        """The hottest of one or more key ids; takes about 0.3 us per key."""
        return min(keys, key=self.placement.rank_of_key)

    def probabilities(self) -> NDArray[np.float64]:
        """Probability by rank, hottest first, float64[keys]: 8 bytes per key."""
        return self.ranks.probabilities()

    def groups(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(p, count) of groups of similar ranks, for models: p > 0 and sum(p * count) = 1.

        Exact for uniform, hotspot and hot (one or two groups). Other skews have up to 10,000 ranks one by one
        and a tail in bins, each 2 % longer than the one before and with its mean p.
        """
        return self.ranks.groups()

    def sample(self, rng: np.random.Generator, size: int, first: int = 0) -> NDArray[np.int64]:
        """Draw `size` ranks with replacement, int64, on condition that none is hotter than rank `first`."""
        return self.ranks.sample(rng, size, first)


@dataclass(frozen=True, slots=True)
class Skew:
    """One skew, for any number of keys; made by `parse_skew`."""

    name: str
    numbers: tuple[float, ...] = ()
    weights: Weights | None = None
    """The weights of a `file:` skew."""

    @property
    def spec(self) -> str:
        """The canonical text, as in the cells of a run; `load_skew` reads it back.

        For a file it has the name without folders, and a digest.
        """
        if self.weights is not None:
            return f"{_FILE}{self.weights.reference}"
        if self.name == "hot" and self.numbers == (1,):
            return "hot"
        return ":".join([self.name, *(_plain(number) for number in self.numbers)])

    @property
    def meaning(self) -> Skew:
        """The simplest skew with the same draws for every number of keys: `uniform` for `zipf:0`."""
        return _UNIFORM if self.name in {"zipf", "latest"} and self.numbers == (0,) else self

    def table(self, keys: int) -> Table:
        """The table for `keys` keys. The last few tables are cached, so that all users of a cell share one.

        Raises:
            UsageError: too few or too many keys for this skew.
        """
        return _table(self, keys)


_UNIFORM = Skew("uniform")


@lru_cache(maxsize=4)
def _table(skew: Skew, keys: int) -> Table:
    if not 1 <= keys <= MAX_KEYS:
        raise UsageError(f"--keys {keys}: the number of keys must be from 1 to {MAX_KEYS}")
    return Table(skew.spec, keys, *_ranks_and_placement(skew, keys))


def _ranks_and_placement(skew: Skew, keys: int) -> tuple[Ranks, Placement]:
    """The ranks of a skew for `keys` keys, and their placement among the key ids."""
    match skew.name:
        case "zipf":
            return _zipf_or_uniform(skew.numbers[0], keys), scatter(keys)
        case "latest":
            return _zipf_or_uniform(skew.numbers[0], keys), Newest(keys)
        case "hotspot":
            return _hotspot(*skew.numbers, keys=keys), scatter(keys)
        case "hot":
            return _hot(int(skew.numbers[0]), keys), scatter(keys)
    if skew.weights is not None:
        return _from_weights(skew.weights, keys)
    return steps((1.0, keys)), scatter(keys)


def _zipf_or_uniform(theta: float, keys: int) -> Ranks:
    return zipf(theta, keys) if theta > 0 else steps((1.0, keys))


def _hotspot(share_of_keys: float, share_of_ops: float, *, keys: int) -> Ranks:
    """Hot keys and the others. The hot set is rounded to whole keys, at least one, and may be all keys."""
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
            f"--keys {keys}: --skew file: {weights.name!r} has a weight for key {listed[-1]};"
            f" raise --keys to {int(listed[-1]) + 1} or more"
        )
    return weighted(listed, np.frombuffer(weights.weights), keys)


def parse_skew(text: str) -> Skew:
    """The skew that `text` describes, as `--skew` takes it. The file of `file:PATH` is read and checked.

    Raises:
        UsageError: an unknown form, a number out of range, or a file that cannot be used.
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
    raise UsageError(f"--skew {quoted(text)} is not a skew; allowed: {_FORMS}")


def parse_skews(texts: Sequence[str]) -> tuple[Skew, ...]:
    """Several skews, in their order.

    Raises:
        UsageError: as `parse_skew`, or two skews have the same draws.
    """
    skews: dict[Skew, Skew] = {}
    for text in texts:
        skew = parse_skew(text)
        first = skews.setdefault(skew.meaning, skew)
        if first is not skew:
            raise UsageError(f"--skew {quoted(text)} is the same skew as {first.spec}; give each skew once")
    return tuple(skews.values())


def keep_skews(directory: Path, skews: Sequence[Skew]) -> None:
    """Copy the files of `file:` skews into a run's directory. Raises RunError."""
    for skew in skews:
        if skew.weights is not None:
            keep_weights(directory, skew.weights)


def load_skew(spec: str, directory: Path) -> Skew:
    """The skew of a cell of a run, from its canonical text. Weights are read from the run's directory.

    Raises:
        UsageError: the text is not a skew.
        RunError: the weights are missing or were changed.
    """
    if not spec.startswith(_FILE):
        return parse_skew(spec)
    return Skew("file", weights=kept_weights(directory, spec.removeprefix(_FILE)))


def keeps_weights(spec: str) -> bool:
    """Whether a run with a cell of this skew keeps a file of weights for it."""
    return spec.startswith(_FILE) and is_reference(spec.removeprefix(_FILE))


def is_spelled_right(spec: str) -> bool:
    """Whether a text can be the skew of a cell; the weights of a file are not checked."""
    if spec.startswith(_FILE):
        return len(spec) > len(_FILE)
    try:
        parse_skew(spec)
    except UsageError:
        return False
    return True


def _theta(text: str, digits: str) -> float:
    theta = _finite(digits)
    if 0 <= theta <= _MAX_THETA:
        return theta + 0.0  # -0.0 becomes 0.0
    raise UsageError(
        f"--skew {quoted(text)}: theta is {quoted(digits)}; it must be a number of at least 0 and at most "
        f"{_MAX_THETA:g}"
    )


def _share(text: str, what: str, digits: str) -> float:
    share = _finite(digits)
    if 0 < share <= 1:
        return share
    raise UsageError(
        f"--skew {quoted(text)}: the share of {what} is {quoted(digits)}; it must be above 0 and at most 1"
    )


def _finite(digits: str) -> float:
    """The number that `digits` represent; NaN if they represent no finite number."""
    number = decimal_number(digits)
    return math.nan if number is None else number


def _count(text: str, digits: str) -> int:
    hot = whole_number(digits)
    if hot is not None and 1 <= hot <= MAX_KEYS:
        return hot
    raise UsageError(
        f"--skew {quoted(text)}: {quoted(digits)} hot keys; it must be a whole number of at least 1"
    )


def _plain(number: float) -> str:
    return repr(float(number)).removesuffix(".0")


def check_keys(table: Table, keys_per_transaction: int) -> None:
    """Check that a transaction does not draw more keys than there are, or more than is possible.

    Raises:
        UsageError: it draws too many.
    """
    if keys_per_transaction > MAX_KEYS_DRAWN:
        raise UsageError(
            f"a transaction of this scenario draws {keys_per_transaction} keys;"
            f" the most is {MAX_KEYS_DRAWN} keys"
        )
    if table.keys < keys_per_transaction:
        raise UsageError(
            f"--keys {table.keys}: a transaction draws {keys_per_transaction} distinct keys;"
            f" raise --keys to {keys_per_transaction} or more"
        )


class KeySource:
    """The keys of one user (`hotrow.scenario.Keys`), drawn from `table` by the user's own generator.

    The keys of one draw are different: each further key has the skew's probabilities on condition that it is
    none of the keys before. If the skew has fewer keys than a draw needs (`hot` and two accounts), the others
    are drawn uniformly from all keys that are left. A draw of one key takes about 0.5 us.
    """

    def __init__(self, table: Table, rng: np.random.Generator) -> None:
        self._table = table
        self._rng = rng
        self._support = table.support
        self._block: list[int] = []

    @property
    def count(self) -> int:
        """The number of keys; ids start at 0."""
        return self._table.keys

    def draw(self, how_many: int = 1) -> tuple[int, ...]:
        """Draw `how_many` distinct key ids, in the order drawn.

        Raises:
            UsageError: there are fewer keys.
        """
        return self.complete((), how_many)

    def complete(self, drawn: Sequence[int], how_many: int) -> tuple[int, ...]:
        """`drawn`, which are distinct key ids in the order drawn, and further ones up to `how_many`.

        Raises:
            UsageError: there are fewer keys.
        """
        check_keys(self._table, how_many)
        keys = list(drawn)
        while len(keys) < how_many:
            keys.append(self._another(keys))
        return tuple(keys)

    def _another(self, taken: list[int]) -> int:
        """A key by the skew that is not in `taken`."""
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
        """Draw from the hottest rank that is not taken and colder ones; its share makes success likely."""
        ranks = set(self._table.rank_of(taken).tolist())
        first = next(rank for rank in range(len(ranks) + 1) if rank not in ranks)
        while True:
            rank = int(self._table.sample(self._rng, 1, first)[0])
            if rank not in ranks:
                return int(self._table.key_of(rank))

    def _any_other(self, taken: list[int]) -> int:
        """One of the keys that are not in `taken`, uniformly: the n-th of them."""
        # A float has 53 bits and there are fewer than 2^32 keys: the bias is below 1e-6 of a key's share.
        key = int(self._rng.random() * (self._table.keys - len(taken)))
        for other in sorted(taken):
            key += other <= key
        return key
