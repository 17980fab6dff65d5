"""The body of an attempt: the call of a scenario's `run` between BEGIN and COMMIT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.attempt.outcome import Phase, classify
from hotrow.attempt.record import RETRYABLE
from hotrow.errors import LEAVING, Rejected, one_line

if TYPE_CHECKING:
    from hotrow.attempt.ports import OpenTransaction
    from hotrow.scenario import Scenario, Work


def run_body(scenario: Scenario, session: OpenTransaction, work: Work) -> None:
    """Execute the work in the open transaction.

    An error that aborted the transaction is raised even if `run` caught it, because the transaction cannot
    commit. If `run` turned it into `Rejected`, that stands, unless the error was a conflict: a conflict must
    be retried.

    Raises:
        Rejected: the business rule refused the work.
        Exception: the error of the driver or the scenario; RuntimeError if `run` tried to end the program.
    """
    try:
        scenario.run(session, work)
    except LEAVING as leaving:
        error = RuntimeError(f"tried to end the program: {one_line(leaving)}")
        raise error.with_traceback(leaving.__traceback__) from None
    except Exception as error:
        cause = session.aborted_by
        if cause is None or (isinstance(error, Rejected) and not _conflicts(session, cause)):
            raise
        raise cause from None
    if session.aborted_by is not None:
        raise session.aborted_by


def _conflicts(session: OpenTransaction, error: Exception) -> bool:
    failure = session.describe(error)
    return classify(Phase.BODY, failure.sqlstate, failure.message, failure.lost).outcome in RETRYABLE
