"""A rehearsal while another run makes its tables on the same server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from hotrow.errors import TargetError
from hotrow.scenario import Work
from hotrow.tables import rehearsal as rehearsing
from scenarios.counter import Counter


@pytest.mark.parametrize(("conflicts", "pauses"), [(0, []), (4, [0.1, 0.2, 0.4, 0.8]), (5, None)])
def test_a_work_that_conflicts_is_tried_again_later(
    conflicts: int, pauses: list[float] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five tries without pauses all met the other run's changes; five tries over 1.5 s outlast them."""
    left, slept = [conflicts], []

    def once(*_: Any) -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise psycopg.errors.SerializationFailure(
                "schema has been updated by another transaction (OC001)"
            )
        return "done"

    monkeypatch.setattr(rehearsing, "_run_once", once)
    observer = SimpleNamespace(failed_changed=False, failed="UPDATE counter", unchanged_statements=set())

    def run() -> object:
        return rehearsing._run(
            Counter(), Work((), ()), cast("Any", None), cast("Any", observer), slept.append
        )

    if pauses is None:
        with pytest.raises(TargetError, match="cannot run counter"):
            run()
    else:
        assert run() == "done"
        assert slept == pauses
