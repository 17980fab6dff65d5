"""How the tap finds the begin and the end of each transaction in what passes through a connection."""

from __future__ import annotations

import pytest

from hotrow.attempt.record import Outcome
from hotrow.standin.endpoint.statements import find_statements
from hotrow.tap.seen_kinds import Catalogue
from hotrow.tap.transaction_watch import Observed, TransactionWatch
from tests.support.wire_scene import play

LOGIN = "< Z I"


class Seen:
    """A watch, and the transactions that it has found."""

    def __init__(self) -> None:
        self.found: list[Observed] = []
        self.catalogue = Catalogue()
        self.watch = TransactionWatch(self.catalogue.statement, find_statements, self.found.append)

    def play(self, scene: str, *, chunk: int = 0) -> Seen:
        """Show the watch a login and this scene."""
        self.now_ns = play(self.watch, f"{LOGIN}\n{scene.strip()}", chunk=chunk)
        return self

    @property
    def outcomes(self) -> list[str]:
        """The outcomes, with the SQLSTATE after errors."""
        return [f"{one.outcome.name.lower()} {one.sqlstate}".strip() for one in self.found]

    def texts(self, index: int = 0) -> list[str]:
        """The statements of one transaction."""
        return [self.catalogue.text(number) for number in self.found[index].statements]


PLAIN = """
    > Q BEGIN
    < C BEGIN | Z T
    > Q UPDATE a SET n = 7
    < C UPDATE 1 | Z T
    > Q COMMIT
    < C COMMIT | Z I
"""
CASES = {
    "a transaction": (PLAIN, ["committed"]),
    "a conflict at COMMIT": (
        PLAIN.replace("C COMMIT | Z I", "E 40001 change conflicts (OC000) | Z I"),
        ["conflict 40001"],
    ),
    "an outdated schema": (
        PLAIN.replace("C COMMIT | Z I", "E 40001 schema has been updated (OC001) | Z I"),
        ["schema_conflict 40001"],
    ),
    "an aborted COMMIT is no commit": (
        PLAIN.replace("C UPDATE 1 | Z T", "E 23505 duplicate key | Z E").replace(
            "C COMMIT | Z I", "C ROLLBACK | Z I"
        ),
        ["error 23505"],
    ),
    "a conflict before COMMIT": (
        """
        > Q BEGIN
        < C BEGIN | Z T
        > Q UPDATE a SET n = 7
        < E 40001 could not serialize | Z E
        > Q ROLLBACK
        < C ROLLBACK | Z I
        """,
        ["conflict 40001"],
    ),
    "a rollback on purpose": (
        PLAIN.replace("Q COMMIT", "Q ROLLBACK").replace("C COMMIT", "C ROLLBACK"),
        ["rejected"],
    ),
    "a savepoint that saves the transaction": (
        """
        > Q BEGIN
        < C BEGIN | Z T
        > Q SAVEPOINT s
        < C SAVEPOINT | Z T
        > Q INSERT INTO a VALUES (1)
        < E 23505 duplicate key | Z E
        > Q ROLLBACK TO SAVEPOINT s
        < C ROLLBACK | Z T
        > Q COMMIT
        < C COMMIT | Z I
        """,
        ["committed"],
    ),
    "a statement without BEGIN": ("> Q UPDATE a SET n = 7\n< C UPDATE 1 | Z I", ["committed"]),
    "a failed statement without BEGIN": (
        "> Q UPDATE a SET n = 7\n< E 40001 x (OC000) | Z I",
        ["conflict 40001"],
    ),
    "two transactions in one text": (
        """
        > Q BEGIN; UPDATE a SET n = 1; COMMIT; BEGIN; UPDATE b SET n = 1; COMMIT
        < C BEGIN | C UPDATE 1 | C COMMIT | C BEGIN | C UPDATE 1 | C COMMIT | Z I
        """,
        ["committed", "committed"],
    ),
    "statements of one text without BEGIN are one transaction": (
        "> Q UPDATE a SET n = 1; UPDATE b SET n = 1\n< C UPDATE 1 | C UPDATE 1 | Z I",
        ["committed"],
    ),
    "COMMIT AND CHAIN": (
        PLAIN.replace("Q COMMIT", "Q COMMIT AND CHAIN").replace("C COMMIT | Z I", "C COMMIT | Z T")
        + "> Q UPDATE b SET n = 1\n< C UPDATE 1 | Z T\n> Q COMMIT\n< C COMMIT | Z I",
        ["committed", "committed"],
    ),
    "a pipeline": (
        """
        > P : BEGIN | B  x | E | P : UPDATE a SET n = $1 | B  7 | E | P : COMMIT | B  x | E | S
        < 1 | 2 | C BEGIN | 1 | 2 | C UPDATE 1 | 1 | 2 | C COMMIT | Z I
        """,
        ["committed"],
    ),
    "an error in a pipeline skips the rest": (
        """
        > P : BEGIN | B  x | E | P : UPDATE a SET n = $1 | B  7 | E | P : COMMIT | B  x | E | S
        < 1 | 2 | C BEGIN | 1 | E 40001 could not serialize | Z E
        > Q ROLLBACK
        < C ROLLBACK | Z I
        """,
        ["conflict 40001"],
    ),
    "a prepared statement again": (
        """
        > P up: UPDATE a SET n = $1 | S
        < 1 | Z I
        > B up 1 | E | S
        < 2 | C UPDATE 1 | Z I
        > B up 2 | E | S
        < 2 | C UPDATE 1 | Z I
        """,
        ["committed", "committed"],
    ),
    "a portal in two parts": (
        """
        > Q BEGIN
        < C BEGIN | Z T
        > P : SELECT n FROM a | B  x | E | S
        < 1 | 2 | s | Z T
        > E | S
        < C SELECT 5 | Z T
        > Q COMMIT
        < C COMMIT | Z I
        """,
        ["committed"],
    ),
    "COPY in the simple protocol": ("> Q COPY a FROM STDIN\n< G\n> d 1 | c\n< C COPY 1 | Z I", ["committed"]),
    "COPY in the extended protocol, whose first Sync is ignored": (
        """
        > P : COPY a FROM STDIN | B  x | E | S
        < 1 | 2 | G
        > d 1 | c | S
        < C COPY 1 | Z I
        > Q UPDATE b SET n = 1
        < C UPDATE 1 | Z I
        """,
        ["committed", "committed"],
    ),
    "a Query after messages without a Sync, whose ReadyForQuery answers both": (
        """
        > P up: UPDATE a SET n = $1 | H
        < 1
        > Q UPDATE b SET n = 1
        < C UPDATE 1 | Z I
        > B up 1 | E | S
        < 2 | s | Z I
        """,
        ["committed", "committed"],
    ),
    "an empty transaction is none": ("> Q BEGIN\n< C BEGIN | Z T\n> Q ROLLBACK\n< C ROLLBACK | Z I", []),
    "settings of the session are none": (
        "> Q SET search_path TO x\n< C SET | Z I\n> Q SHOW x\n< C SHOW | Z I",
        [],
    ),
    "an empty text is none": ("> Q ;\n< I | Z I", []),
    "a function call is none": ("> F x\n< V | Z I\n" + PLAIN, ["committed"]),
    "a statement that cannot be prepared": (
        "> P : SELEC 1 | S\n< E 42601 syntax error | Z I",
        ["error 42601"],
    ),
    "COMMIT that the service interrupts": (
        PLAIN.replace("C COMMIT | Z I", "E XX000 server unavailable | Z I"),
        ["unknown XX000"],
    ),
}


@pytest.mark.parametrize("chunk", [0, 1, 7])
@pytest.mark.parametrize("case", CASES)
def test_the_server_s_answers_say_how_a_transaction_ended(case: str, chunk: int) -> None:
    """However the stream is cut: tags and statuses decide, and never the client's words alone."""
    scene, outcomes = CASES[case]

    assert Seen().play(scene, chunk=chunk).outcomes == outcomes


def test_times_are_those_at_which_the_client_sent_and_was_answered() -> None:
    """The body lasts until COMMIT is sent, COMMIT until it is answered."""
    (one,) = Seen().play(PLAIN).found

    assert (one.started_ns, one.commit_sent_ns, one.ended_ns) == (2_000_000, 6_000_000, 7_000_000)


def test_a_statement_without_begin_is_all_commit() -> None:
    """Its commit is part of it."""
    (one,) = Seen().play("> Q UPDATE a SET n = 7\n< C UPDATE 1 | Z I").found

    assert (one.started_ns, one.commit_sent_ns, one.ended_ns) == (2_000_000, 2_000_000, 3_000_000)


def test_statements_are_kept_without_their_values() -> None:
    """In the order in which they were executed."""
    seen = Seen().play(
        PLAIN.replace("< C UPDATE 1 | Z T", "< C UPDATE 1 | Z T\n> Q SELECT 'x'\n< C SELECT 1 | Z T")
    )

    assert seen.texts() == ["UPDATE a SET n = ?", "SELECT ?"]


def test_every_statement_is_known_after_a_query_without_a_sync_before_it() -> None:
    """Otherwise all later answers would be taken for those of earlier statements."""
    seen = Seen().play(CASES["a Query after messages without a Sync, whose ReadyForQuery answers both"][0])

    assert (seen.texts(0), seen.texts(1)) == (["UPDATE b SET n = ?"], ["UPDATE a SET n = ?"])


def test_the_same_values_have_the_same_digest() -> None:
    """A retry is recognised by them, whether they are literals or parameters."""
    literal = Seen().play(PLAIN + PLAIN + PLAIN.replace("7", "8")).found
    bound = "> P : UPDATE a SET n = $1 | B  {} | E | S\n< 1 | 2 | C UPDATE 1 | Z I\n"
    parameter = Seen().play(bound.format(1) + bound.format(1) + bound.format(2)).found

    for first, same, other in (literal, parameter):
        assert first.digest == same.digest != other.digest


LOST = {
    "COMMIT in flight": (PLAIN.rpartition("<")[0], "unknown"),
    "a statement without BEGIN in flight": ("> Q UPDATE a SET n = 7", "unknown"),
    "before COMMIT": (PLAIN.rpartition(">")[0], "error"),
    "COMMIT in flight after an error": (
        PLAIN.replace("C UPDATE 1 | Z T", "E 40001 x | Z E").rpartition("<")[0],
        "conflict 40001",
    ),
    "COMMIT of the same text in flight": ("> Q BEGIN; UPDATE a SET n = 1; COMMIT", "unknown"),
    "a text without COMMIT in flight": ("> Q BEGIN; UPDATE a SET n = 1", "error"),
    "the server says goodbye at COMMIT": (
        PLAIN.replace("C COMMIT | Z I", "F 57P01 terminating connection"),
        "unknown 57P01",
    ),
}


@pytest.mark.parametrize("case", LOST)
def test_a_lost_connection_leaves_only_an_unanswered_commit_in_doubt(case: str) -> None:
    """Everything else is rolled back by the server."""
    scene, outcome = LOST[case]
    seen = Seen().play(scene)

    seen.watch.end(seen.now_ns)

    assert seen.outcomes == [outcome]


@pytest.mark.parametrize(("case", "outcomes"), [("COMMIT in flight", ["unknown"]), ("before COMMIT", [])])
def test_a_transaction_that_the_tap_cuts_off_is_no_error_of_the_program(
    case: str, outcomes: list[str]
) -> None:
    """The tap ends: what was not committed is left out, what may be committed is unknown."""
    seen = Seen().play(LOST[case][0])

    seen.watch.end(seen.now_ns, cut_off=True)

    assert seen.outcomes == outcomes


def test_an_idle_connection_ends_without_a_transaction() -> None:
    """Nothing was open."""
    seen = Seen().play(PLAIN)

    seen.watch.end(seen.now_ns)

    assert [one.outcome for one in seen.found] == [Outcome.COMMITTED]
