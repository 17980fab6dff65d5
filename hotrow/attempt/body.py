"""The body of an attempt: a scenario's `run`, in the transaction that the loop opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.attempt.outcome import Phase, classify
from hotrow.attempt.record import RETRYABLE
from hotrow.errors import LEAVING, Rejected, one_line

if TYPE_CHECKING:
    from hotrow.attempt.ports import OpenTransaction
    from hotrow.scenario import Scenario, Work


def run_body(scenario: Scenario, session: OpenTransaction, work: Work) -> None:
    """Run the work in the open transaction.

    What the server said of it is raised even if `run` caught that: the transaction has failed all the same.
    Only a business rule may say no because of an error; not because of a conflict, which has to be retried.

    Raises:
        Rejected: the business rule said no.
        Exception: what the driver or the scenario raised; RuntimeError if it wanted to leave the program.
    """
    try:
        scenario.run(session, work)
    except LEAVING as leaving:
        error = RuntimeError(f"wanted to leave the program: {one_line(leaving)}")
        raise error.with_traceback(leaving.__traceback__) from None
    except Exception as error:
        cause = session.aborted_by
        if cause is None or (isinstance(error, Rejected) and not _conflicts(session, cause)):
            raise
        raise cause from None
    if session.aborted_by is not None:
        raise session.aborted_by


def _conflicts(session: OpenTransaction, error: Exception) -> bool:
    said = session.describe(error)
    return classify(Phase.BODY, said.sqlstate, said.message, said.lost).outcome in RETRYABLE
