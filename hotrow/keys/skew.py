"""Key skew: how transactions choose their keys, from all keys alike to a single hot row.

| text                                 | meaning                                                          |
|--------------------------------------|------------------------------------------------------------------|
| `uniform`                            | all keys are equally likely                                      |
| `zipf:THETA`                         | P(rank k) proportional to k^-THETA, 0 to 1000; 0 equals uniform  |
| `hotspot:SHARE_OF_KEYS:SHARE_OF_OPS` | this share of the keys takes this share of the draws; in (0, 1]  |
| `latest:THETA`                       | `zipf:THETA`; the highest key id is the hottest                  |
| `hot:K`                              | K equally likely keys take all draws; `hot` is `hot:1`           |
| `conflict-share:SHARE`               | one hot key has this share of the draws, in (0, 1]               |
| `file:PATH`                          | CSV `key,weight`; a key that is not listed is never drawn        |

`account=zipf:0.99,branch=hot` gives each key space of a scenario a skew of its own (`hotrow.keys.spaces`).

Probabilities belong to ranks; rank 0 is the hottest. Except for `latest` and `file`, a bijection scatters the
ranks over the key ids, so that hot keys are not neighbours in an index.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from hotrow.errors import UsageError
from hotrow.keys import MAX_KEYS
from hotrow.keys.table import Table, make_table
from hotrow.keys.weights import Weights, is_reference, keep_weights, kept_weights, read_weights
from hotrow.units import decimal_number, quoted, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

_FORMS = (
    "uniform, zipf:THETA, hotspot:SHARE_OF_KEYS:SHARE_OF_OPS, latest:THETA, hot:K, conflict-share:SHARE, "
    "file:PATH"
)
_FILE = "file:"
_SPACE = re.compile(r"([a-z][a-z0-9_]*)=")

_MAX_THETA = 1000.0
"""A larger value is a typing error: from about 50 on the first key is certain to 16 digits."""

MAX_KEYS_DRAWN = 10_000
"""The largest number of keys per transaction; Aurora DSQL lets it write 3,000 rows."""

_BLOCK = 256
"""Keys that a user draws in advance: they share the cost of a numpy call and need little memory."""

_TRIES = 8
"""Duplicates in a row, after which a key is drawn from the ranks that are left: certain, but slower."""


@dataclass(frozen=True, slots=True)
class Skew:
    """One skew, for any number of keys; made by `parse_skew`."""

    name: str
    numbers: tuple[float, ...] = ()
    weights: Weights | None = None
    """The weights of a `file:` skew."""
    by_space: tuple[tuple[str, Skew], ...] = ()
    """The skews of several key spaces by name (`hotrow.keys.spaces`); then it has nothing else."""

    @property
    def spec(self) -> str:
        """The canonical text, as in the cells of a run; `load_skew` reads it back.

        For a file it has the name without folders, and a digest.
        """
        if self.by_space:
            return ",".join(f"{name}={skew.spec}" for name, skew in self.by_space)
        if self.weights is not None:
            return f"{_FILE}{self.weights.reference}"
        if self.name == "hot" and self.numbers == (1,):
            return "hot"
        return ":".join([self.name, *(_plain(number) for number in self.numbers)])

    @property
    def parts(self) -> tuple[Skew, ...]:
        """The skews of its key spaces, or itself."""
        return tuple(skew for _, skew in self.by_space) or (self,)

    @property
    def meaning(self) -> Skew:
        """The simplest skew with the same draws for every number of keys: `uniform` for `zipf:0`."""
        if self.by_space:
            return Skew("", by_space=tuple((name, skew.meaning) for name, skew in self.by_space))
        return _UNIFORM if self.name in {"zipf", "latest"} and self.numbers == (0,) else self

    def table(self, keys: int) -> Table:
        """The table for `keys` keys. The last few tables are cached, so that all users of a cell share one.

        Raises:
            UsageError: too few or too many keys for this skew.
        """
        if self.by_space:
            raise UsageError(
                f"--skew {quoted(self.spec)}: this scenario has no key spaces; give a skew without a name"
            )
        return _table(self, keys)


_UNIFORM = Skew("uniform")


@lru_cache(maxsize=4)
def _table(skew: Skew, keys: int) -> Table:
    return make_table(skew.spec, skew.name, skew.numbers, skew.weights, keys)


def uniform() -> Skew:
    """The skew in which all keys are equally likely."""
    return _UNIFORM


def parse_skew(text: str) -> Skew:
    """The skew that `text` describes, as `--skew` takes it. The file of `file:PATH` is read and checked.

    Raises:
        UsageError: an unknown form, a number out of range, or a file that cannot be used.
    """
    if space_of(text) is not None:
        return Skew("", by_space=_by_space(text, _parse_one))
    return _parse_one(text)


def _parse_one(text: str) -> Skew:
    name, _, rest = text.strip().partition(":")
    parts = rest.split(":") if rest else []
    match name, parts:
        case "uniform", []:
            return _UNIFORM
        case (("zipf" | "latest"), [theta]):
            return Skew(name, (_theta(text, theta),))
        case "hotspot", [share_of_keys, share_of_ops]:
            return Skew(name, (_share(text, "keys", share_of_keys), _share(text, "ops", share_of_ops)))
        case "conflict-share", [share]:
            return Skew(name, (_share(text, "ops", share),))
        case "hot", [] | [_]:
            return Skew("hot", (_count(text, *parts) if parts else 1,))
        case "file", [_, *_]:
            return Skew("file", weights=read_weights(Path(rest)))
    raise UsageError(f"--skew {quoted(text)} is not a skew; allowed: {_FORMS}")


def space_of(text: str) -> str | None:
    """The key space that the text of a skew begins with: `branch` in `branch=hot`; None if it has none."""
    named = _SPACE.match(text.strip())
    return named[1] if named else None


def group_skews(texts: Sequence[str]) -> tuple[str, ...]:
    """The skews in a list that was cut at its commas: neighbours that name spaces are one, up to a repeat.

    `uniform`, `account=uniform`, `branch=hot`, `account=hot` are `uniform`, `account=uniform,branch=hot` and
    `account=hot`.
    """
    groups: list[dict[str | None, str]] = []
    for text in texts:
        space = space_of(text)
        if space is None or not groups or None in groups[-1] or space in groups[-1]:
            groups.append({})
        groups[-1][space] = text
    return tuple(",".join(group.values()) for group in groups)


def _by_space(text: str, parse: Callable[[str], Skew]) -> tuple[tuple[str, Skew], ...]:
    skews: dict[str, Skew] = {}
    for part in text.split(","):
        space = space_of(part)
        if space is None or space in skews:
            fault = "has no space" if space is None else f"names {space} twice"
            raise UsageError(
                f"--skew {quoted(text)}: {quoted(part)} {fault}; use account=zipf:0.99,branch=hot"
            )
        text_of_part = part.partition("=")[2]
        if space_of(text_of_part) is not None:
            raise UsageError(f"--skew {quoted(text)}: {quoted(part)} names two spaces; use branch=hot")
        skews[space] = parse(text_of_part)
    return tuple(skews.items())


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
    for part in (part for skew in skews for part in skew.parts):
        if part.weights is not None:
            keep_weights(directory, part.weights)


def load_skew(spec: str, directory: Path) -> Skew:
    """The skew of a cell of a run, from its canonical text. Weights are read from the run's directory.

    Raises:
        UsageError: the text is not a skew.
        RunError: the weights are missing or were changed.
    """
    if space_of(spec) is not None:
        return Skew("", by_space=_by_space(spec, partial(load_skew, directory=directory)))
    if not spec.startswith(_FILE):
        return parse_skew(spec)
    return Skew("file", weights=kept_weights(directory, spec.removeprefix(_FILE)))


def keeps_weights(spec: str) -> bool:
    """Whether a run with a cell of this skew keeps a file of weights for it."""
    parts = [part.partition("=")[2] if space_of(part) else part for part in spec.split(",")]
    return any(part.startswith(_FILE) and is_reference(part.removeprefix(_FILE)) for part in parts)


def is_spelled_right(spec: str) -> bool:
    """Whether a text can be the skew of a cell; the weights of a file are not checked."""
    if spec.startswith(_FILE):
        return len(spec) > len(_FILE)
    try:
        if space_of(spec) is None:
            parse_skew(spec)
        else:
            _by_space(spec, _refuse_misspelled)
    except UsageError:
        return False
    return True


def _refuse_misspelled(spec: str) -> Skew:
    if not is_spelled_right(spec):
        raise UsageError(f"{quoted(spec)} is not a skew")
    return _UNIFORM


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

    def __getitem__(self, space: str) -> KeySource:
        """Refused: there are no key spaces. Raises UsageError."""
        raise UsageError(f"draw() uses the key space {space!r}; the scenario declares no `spaces`")

    def ids(self, **keys: Sequence[int]) -> tuple[int, ...]:
        """Refused for the same reason. Raises UsageError."""
        raise UsageError(f"draw() names key spaces ({', '.join(keys)}); the scenario declares no `spaces`")

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
