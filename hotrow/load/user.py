"""The Locust user: one closed-loop client with one connection, which runs one scenario."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import gevent
import numpy as np
from locust import User, task
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from hotrow.attempt.app_call import run_call
from hotrow.attempt.loop import Client, run_transaction
from hotrow.attempt.receipts import Receipts
from hotrow.attempt.record import Outcome
from hotrow.attempt.retry import recorded_policy
from hotrow.keys.skew import load_skew
from hotrow.keys.spaces import key_source, lay_out, read_sizes
from hotrow.load import listeners
from hotrow.load.gevent_waiting import COOPERATIVE
from hotrow.load.locust_statistics import ROW_TYPE, TransactionFailed, row_name
from hotrow.load.locustfile_scenario import declare_knobs_of, locustfile_scenario
from hotrow.scenario import AppScenario
from hotrow.scenario.calling import follow_checked
from hotrow.targets.app_engine import UserEngine
from hotrow.targets.connection import AppUserConnection, UserConnection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locust.env import Environment

    from hotrow.attempt.ports import Connections
    from hotrow.load.board import Board
    from hotrow.run.plan import Cell
    from hotrow.scenario import Scenario, Work
    from hotrow.targets.target import Target

_RECONNECT_PAUSE_S = 0.2
"""The wait after a transaction that lost its connection, before the next one asks for a new connection.

It lies between transactions, so it is part of no latency. After any other error the user goes on at once.
"""
_ENDED_WELL = frozenset({Outcome.COMMITTED, Outcome.REJECTED})
"""Outcomes after which a business operation goes on with its next transaction."""


class ContentionUser(User):
    """The base of user classes: a subclass sets `scenario`, or `scenarios` for `--scenario` to choose from.

    The knobs of the scenario become options.
    """

    abstract = True
    scenario: ClassVar[Scenario | None] = None
    scenarios: ClassVar[Mapping[str, type[Scenario]]] = {}

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        declare_knobs_of(cls)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._board = cast("Board", listeners.context_of(environment).board)
        self._number = self._board.number_user()
        self._connection: UserConnection | AppUserConnection | None = None
        self._engine: UserEngine | None = None
        self._region = 0
        self._client: Client | None = None
        self._is_ready = False
        self._cell: Cell | None = None
        self._failure = ""
        """The text of the last transaction that gave up or failed."""

    def wait_time(self) -> float:
        """Think time between two transactions, in seconds."""
        return 0.0 if self._board.setup is None else self._board.setup.think_s

    def on_start(self) -> None:
        """Connect before the gate opens, so that no cell measures the opening of a connection."""
        setup, target = self._board.setup, self._board.target
        if setup is None or target is None:
            return  # the run could not begin and has reported why; Locust is about to stop
        self._region = self._board.enter_region()
        self._connect(target, setup.schemas[0])
        self._board.ready += 1
        self._is_ready = True

    def _connect(self, target: Target, schema: str) -> None:
        opening = (target, schema, COOPERATIVE, self._region)
        if isinstance(self._scenario(), AppScenario):
            self._connection = AppUserConnection(*opening)
            self._engine = UserEngine(self._connection)
        else:
            self._connection = UserConnection(*opening)
        self._connection.try_to_open()

    def _move_to(self, cell: Cell) -> None:
        """Switch to the tables of a cell, and to another region if users who left unbalanced the regions."""
        setup, target = self._board.setup, self._board.target
        assert setup is not None and target is not None and self._connection is not None  # noqa: S101, PT018
        region, schema = self._board.even_region(self._region), setup.schemas[cell.id]
        if region == self._region:
            self._connection.move_to(schema)
        else:
            self._region = region
            self._connection.close()
            self._connect(target, schema)

    def on_stop(self) -> None:
        """Close the connection; the user is no longer counted."""
        if self._is_ready:
            self._is_ready = False
            self._board.ready -= 1
        if self._connection is not None:
            self._board.leave_region(self._region)
            self._connection.close()
            self._connection = None

    @task
    def transaction(self) -> None:
        """Run one business transaction with its retries in the open cell, and those that follow it."""
        cell = self._wait_for_cell()
        try:
            client, work = self._client_of(cell), None
            while client is not None and self._board.admit(cell):
                outcome = self._transact(client, work)
                work = follow_checked(client.scenario, client.keys) if outcome in _ENDED_WELL else None
                if work is None:
                    return
        except (Exception, SystemExit) as error:  # noqa: BLE001 - Locust would log it and go on
            self._board.fail(error)

    def _transact(self, client: Client, work: Work | None) -> Outcome | None:
        started = time.perf_counter()
        try:
            outcome = self._run(client, work)
        finally:
            self._board.leave()
        self._report_to_locust(client.scenario.name, outcome, (time.perf_counter() - started) * 1e3)
        if outcome is Outcome.ERROR and self._connection is not None and not self._connection.is_open:
            self._board.pause(_RECONNECT_PAUSE_S)
        return outcome

    def _run(self, client: Client, work: Work | None) -> Outcome | None:
        if isinstance(client.scenario, AppScenario) and isinstance(self._connection, AppUserConnection):
            return run_call(client, client.scenario, self._connection, self._board.number_transaction)
        return run_transaction(client, self._board.number_transaction(), work)

    def _wait_for_cell(self) -> Cell:
        """Wait at the gate; during the wait Locust may stop this user at once."""
        if self._board.cell is not None:
            return self._board.cell
        if self._state == LOCUST_STATE_RUNNING:
            self._state = LOCUST_STATE_WAITING
        cell = self._board.wait_for_cell()
        if self._state == LOCUST_STATE_WAITING:
            self._state = LOCUST_STATE_RUNNING
        return cell

    def _pause(self, seconds: float) -> bool:
        return self._state != LOCUST_STATE_STOPPING and self._board.pause(seconds)

    def _client_of(self, cell: Cell) -> Client | None:
        """The client of this user for the open cell; None if the cell closed while the user was joining."""
        if self._client is None or self._cell is not cell:
            self._move_to(cell)
            if self._board.cell is not cell:
                return None
            self._cell, self._client = cell, self._make_client(cell)
            if not self._join(self._client.rng):
                return None
        return self._client

    def _join(self, rng: np.random.Generator) -> bool:
        """Start at a random point of the think time: otherwise users that start together stay in step."""
        think_s = self.wait_time()
        return think_s == 0 or self._pause(rng.random() * think_s)

    def _make_client(self, cell: Cell) -> Client:
        board = self._board
        setup, ledger, errors = board.setup, board.ledger, board.errors
        assert setup is not None and ledger is not None and self._connection is not None  # noqa: S101, PT018
        assert errors is not None  # noqa: S101 - made with the ledger
        skew = load_skew(cell.skew, Path(setup.directory))
        layout = lay_out(skew, cell.keys, read_sizes(cell.spaces))
        scenario = type(self._scenario())(**cell.knobs)
        scenario.user = self._number * max(setup.workers, 1) + board.worker
        if isinstance(scenario, AppScenario) and self._engine is not None:
            scenario.attach(self._engine)
        rng = np.random.default_rng([setup.seed, cell.id, board.worker, self._number])
        return Client(
            scenario=scenario,
            keys=key_source(layout, rng),
            rng=rng,
            policy=recorded_policy(cell.retry),
            redraw=cell.redraw,
            connections=cast("Connections", self._connection),
            record=partial(ledger.append, user=self._number, cell=cell.id, region=self._region),
            hottest=layout.hottest,
            clock_ns=time.perf_counter_ns,
            pause=self._pause,
            receipts=self._receipts(rng) if setup.receipts else None,
            note_error=partial(errors.note, cell=cell.id),
            note_failure=self._note_failure,
        )

    def _scenario(self) -> Scenario:
        assert self._board.setup is not None  # noqa: S101 - the run has begun
        return locustfile_scenario([type(self)], self._board.setup.chosen)

    def _receipts(self, rng: np.random.Generator) -> Receipts:
        return Receipts(
            worker=self._board.worker,
            rng=rng,
            sleep=COOPERATIVE.sleep,
            clock_s=time.perf_counter,
            time_limit=lambda seconds: gevent.Timeout(seconds, TimeoutError("no answer")),
        )

    def _note_failure(self, **fields: Any) -> None:
        self._failure = self._board.failure_texts.text(**fields)

    def _report_to_locust(self, scenario: str, outcome: Outcome | None, elapsed_ms: float) -> None:
        """Fire one event per transaction; none if it was cut off or its outcome is unknown."""
        if outcome is None or outcome is Outcome.UNKNOWN:
            return
        succeeded = outcome in _ENDED_WELL
        self.environment.events.request.fire(
            request_type=ROW_TYPE,
            name=row_name(scenario),
            response_time=elapsed_ms,
            response_length=0,
            exception=None if succeeded else TransactionFailed(self._failure),
            context=self.context(),
        )
