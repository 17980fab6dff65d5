"""The rate limit for new connections: bursts, rates and shares, on a simulated clock."""

from __future__ import annotations

import pytest

from hotrow.targets.dsql.slots import Slots, share_of


def instants_s(slots: Slots, count: int, at_s: float = 0.0) -> list[float]:
    """The times at which this number of users may connect, if all ask at the same time."""
    return [at_s + slots.take_s(at_s) for _ in range(count)]


def refused(instants: list[float], rate_per_s: float, burst: float) -> int:
    """The number of connections that a server with this rate and burst refuses."""
    level, last_s, count = burst, 0.0, 0
    for instant_s in sorted(instants):
        level = min(level + (instant_s - last_s) * rate_per_s, burst)
        last_s = instant_s
        if level >= 1:
            level -= 1
        else:
            count += 1
    return count


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    """Three slots are free, then one becomes free every 0.1 s, first come, first served."""
    assert instants_s(Slots(10.0, 3.0), 6) == pytest.approx([0, 0, 0, 0.1, 0.2, 0.3])


def test_a_rest_fills_the_bucket_up_to_the_burst_and_no_further() -> None:
    """After an hour there are 3 free slots, not 36,000."""
    slots = Slots(10.0, 3.0)
    instants_s(slots, 3)

    assert instants_s(slots, 4, at_s=3600.0) == pytest.approx([3600, 3600, 3600, 3600.1])


def test_a_server_that_says_it_is_empty_is_believed() -> None:
    """After SQLSTATE 53400 every user waits, however many slots were free."""
    slots = Slots(10.0, 100.0)
    instants_s(slots, 1)

    slots.empty(0.0)

    assert instants_s(slots, 2) == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize(("rate_per_s", "burst"), [(100.0, 10.0), (100.0, 1000.0), (20.0, 4.0)])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_all_workers_together_keep_the_server_s_pace(rate_per_s: float, burst: float, processes: int) -> None:
    """2,000 users connect at once: a server that counts like Aurora DSQL refuses none of them."""
    shares = [share_of(rate_per_s, burst, processes) for _ in range(processes)]

    instants = [instant for slots in shares for instant in instants_s(slots, 2000 // processes)]

    assert refused(instants, rate_per_s, burst) == 0
    assert max(instants) < 1.2 * (2000 - burst) / rate_per_s + 1
    alone = [instant for _ in shares for instant in instants_s(Slots(rate_per_s, burst), 2000 // processes)]
    assert processes == 1 or refused(alone, rate_per_s, burst) > 0
