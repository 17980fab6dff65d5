"""The event loop of the simulation, compiled by numba.

An event is the COMMIT of one attempt. The user whose attempt ends first is on top of a binary heap. Its
attempt loses if a row that it writes was committed by another attempt after its snapshot. Then the user
begins its next attempt, or its next transaction, and its new end goes into the heap. Nothing happens between
two events.

Random numbers are drawn before, by numpy; the loop has no generator of its own. So a simulation depends only
on its seed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hotrow.attempt.retry import MAX_DOUBLINGS, TOKEN

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NO_ROW = -1
"""Fills the rows of a transaction that writes fewer than others."""
SLOTS = 2**22
"""How many last commits are kept: that of row n in slot n % SLOTS. Up to 4 million rows have a slot each. Two
of more rows can share a slot: the commit of one then replaces that of the other. A conflict is missed if both
are written within one conflict window. With N users that write k rows, this happens to about one attempt in
SLOTS / (N k²)."""
UNLIMITED = -1


class Rules(NamedTuple):
    """A retry policy as plain numbers (`hotrow.attempt.retry` has the formulas), and the end of it all."""

    base_s: float
    cap_s: float
    growth: float
    low: float
    high: float
    from_previous: bool
    max_retries: int
    """UNLIMITED, or the number of retries."""
    within_s: float
    """Infinite without a time limit."""
    deposit: int
    """Millionths of a retry that a transaction adds to its user's budget."""
    capacity: int
    """The largest balance of a budget; 0 without a budget."""
    redraw: bool
    """Whether a retry writes the rows of fresh work."""
    until_s: float
    """No attempt ends at this time or later."""


class Users(NamedTuple):
    """The state of every user: arrays over users, and `rows` over users and rows of a transaction."""

    heap: Integers
    """Users, the one whose attempt ends first on top."""
    end_s: Floats
    snapshot_s: Floats
    began_s: Floats
    """When the transaction began."""
    backoff_s: Floats
    failures: Integers
    transaction: Integers
    balance: Integers
    rows: Integers
    hottest: Integers
    kind: Integers


class Commits(NamedTuple):
    """The last commit of each row, by slot."""

    row: Integers
    at_s: Floats


class Draws(NamedTuple):
    """Random numbers and works, drawn ahead: one of each per attempt, at most."""

    window_s: Floats
    outside_s: Floats
    """The time between an attempt and the next one, without backoff."""
    think_s: Floats
    """The further time before a new transaction."""
    jitter: Floats
    """Uniform in [0, 1)."""
    rows: Integers
    """Work by work: the rows that a transaction writes; filled with NO_ROW."""
    hottest: Integers
    kind: Integers


Attempts = NDArray[np.void]
"""`ATTEMPT` records in the order of their ends."""
ATTEMPT = np.dtype(
    [
        ("began_s", "f8"),  # when the transaction began
        ("snapshot_s", "f8"),
        ("window_s", "f8"),
        ("backoff_s", "f8"),  # before the attempt
        ("transaction", "i8"),
        ("user", "i8"),
        ("number", "i8"),  # 1 is the first try
        ("lost", "?"),
        ("final", "?"),
        ("hottest", "i8"),
        ("kind", "i8"),
    ]
)


@njit(cache=True)
def _sink(heap: Integers, end_s: Floats) -> None:
    """Put the user on top of the heap where it belongs."""
    user, here, size = heap[0], 0, len(heap)
    while True:
        below = 2 * here + 1
        if below >= size:
            break
        if below + 1 < size and end_s[heap[below + 1]] < end_s[heap[below]]:
            below += 1
        if end_s[heap[below]] >= end_s[user]:
            break
        heap[here] = heap[below]
        here = below
    heap[here] = user


@njit(cache=True)
def _loses(user: int, users: Users, commits: Commits) -> bool:
    """Whether a row of the user's attempt was committed after its snapshot."""
    for row in users.rows[user]:
        slot = row % SLOTS
        if row != NO_ROW and commits.row[slot] == row and commits.at_s[slot] > users.snapshot_s[user]:
            return True
    return False


@njit(cache=True)
def _delay(rules: Rules, failures: int, previous_s: float, jitter: float) -> float:
    """The backoff after so many failures. See `Policy.delay_s`."""
    if rules.from_previous:
        reach_s = 3 * max(rules.base_s, previous_s)
        return min(rules.cap_s, rules.base_s + jitter * (reach_s - rules.base_s))
    ceiling_s = min(rules.cap_s, rules.base_s * rules.growth ** min(failures - 1, MAX_DOUBLINGS))
    return ceiling_s * (rules.low + jitter * (rules.high - rules.low))


@njit(cache=True)
def _take(user: int, users: Users, draws: Draws, work: int) -> None:
    """Let the user's attempt write the rows of a work."""
    users.rows[user] = draws.rows[work]
    users.hottest[user] = draws.hottest[work]
    users.kind[user] = draws.kind[work]


@njit(cache=True)
def _tries_again(user: int, users: Users, rules: Rules) -> bool:
    """Whether policy and budget let the user retry after the attempt that lost. The budget pays for it."""
    failures = users.failures[user] + 1
    if rules.max_retries != UNLIMITED and failures > rules.max_retries:
        return False
    if users.end_s[user] - users.began_s[user] >= rules.within_s:
        return False
    if rules.capacity > 0:
        if users.balance[user] < TOKEN:
            return False
        users.balance[user] -= TOKEN
    return True


@njit(cache=True)
def _commit(user: int, users: Users, commits: Commits) -> None:
    """Note the commit of the rows that the user's attempt wrote."""
    for row in users.rows[user]:
        if row != NO_ROW:
            commits.row[row % SLOTS] = row
            commits.at_s[row % SLOTS] = users.end_s[user]


@njit(cache=True)
def _record(made: int, user: int, users: Users, attempts: Attempts) -> None:
    """Record the attempt of the user, which has ended."""
    attempts[made]["began_s"] = users.began_s[user]
    attempts[made]["snapshot_s"] = users.snapshot_s[user]
    attempts[made]["window_s"] = users.end_s[user] - users.snapshot_s[user]
    attempts[made]["backoff_s"] = users.backoff_s[user]
    attempts[made]["transaction"] = users.transaction[user]
    attempts[made]["user"] = user
    attempts[made]["number"] = users.failures[user] + 1
    attempts[made]["hottest"] = users.hottest[user]
    attempts[made]["kind"] = users.kind[user]


@njit(cache=True)
def _begin(user: int, users: Users, rules: Rules, began_s: float) -> None:
    """Begin the user's next transaction."""
    users.began_s[user] = began_s
    users.failures[user] = 0
    users.backoff_s[user] = 0.0
    users.transaction[user] += len(users.heap)
    users.balance[user] = min(users.balance[user] + rules.deposit, rules.capacity)


@njit(cache=True)
def advance(users: Users, commits: Commits, rules: Rules, draws: Draws, attempts: Attempts) -> int:
    """Simulate until the attempts are full, or until the end.

    There must be as many draws as attempts.

    Returns:
        How many attempts were made.
    """
    works, made = 0, 0
    while made < len(attempts):
        user = users.heap[0]
        if users.end_s[user] >= rules.until_s:
            break
        lost = _loses(user, users, commits)
        again = lost and _tries_again(user, users, rules)
        _record(made, user, users, attempts)
        attempts[made]["lost"] = lost
        attempts[made]["final"] = not again
        if not lost:
            _commit(user, users, commits)
        start_s = users.end_s[user] + draws.outside_s[made]
        if again:
            users.failures[user] += 1
            delay_s = _delay(rules, users.failures[user], users.backoff_s[user], draws.jitter[made])
            users.backoff_s[user] = delay_s
            start_s += delay_s
        else:
            start_s += draws.think_s[made]
            _begin(user, users, rules, start_s)
        if rules.redraw or not again:
            _take(user, users, draws, works)
            works += 1
        users.snapshot_s[user] = start_s
        users.end_s[user] = start_s + draws.window_s[made]
        _sink(users.heap, users.end_s)
        made += 1
    return made
