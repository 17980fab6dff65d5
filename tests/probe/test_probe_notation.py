"""The notation of probes: parsing, refused texts, and the coverage of the probes that hotrow includes."""

from __future__ import annotations

from collections import Counter

import pytest

from hotrow.errors import UsageError
from hotrow.probe.matrix import Matrix, Row, cell, decisive, markdown, steps
from hotrow.probe.notation import SOURCES, Probe, Step, load_probes, parse, select
from hotrow.probe.play import Observed, Played
from hotrow.probe.sessions import Answer, AnswerType
from tests.support.commands import ROOT

TEXT = """
# a remark
tables pair: CREATE TABLE pair (id bigint PRIMARY KEY)
tables pair: INSERT INTO pair VALUES (1), (2)

probe: a sentence
tags: conflict read
source: DOC, with a remark
tables: pair
a: BEGIN -> BEGIN
b: SELECT '{}'::jsonb -> 'x' -> null
a: COMMIT -> 40001 OC000 | COMMIT
some: 40001 OC000
"""
HEAD = "probe: p\ntags: t\nsource: PG\n"


def probe_of(*answers: str, some: str | None = None) -> Probe:
    """A probe of one session, one step for each text of expected answers."""
    all_steps = tuple(
        Step("a", f"SELECT {number}", tuple(text.split(" | "))) for number, text in enumerate(answers)
    )
    return Probe("p", ("t",), "PG", (), all_steps, some)


def played(probe: Probe, *answers: Answer | None) -> Played:
    return Played(probe, tuple(map(Observed, probe.steps, answers)))


def test_a_probe_is_read_with_its_tables() -> None:
    """Every line is parsed. The last arrow of a line is the notation's, and `|` separates answers."""
    (probe,) = parse([("x.probes", TEXT)])

    assert probe == Probe(
        name="a sentence",
        tags=("conflict", "read"),
        source="DOC, with a remark",
        setup=("CREATE TABLE pair (id bigint PRIMARY KEY)", "INSERT INTO pair VALUES (1), (2)"),
        steps=(
            Step("a", "BEGIN", ("BEGIN",)),
            Step("b", "SELECT '{}'::jsonb -> 'x'", ("null",)),
            Step("a", "COMMIT", ("40001 OC000", "COMMIT")),
        ),
        some="40001 OC000",
    )
    assert probe.origin == "DOC"
    assert probe.sessions == ("a", "b")


def test_tables_of_one_file_serve_the_next() -> None:
    """Probes of several files can start from the same tables."""
    first, second = ("tables t: SELECT 1", f"{HEAD}tables: t\na: SELECT 2 -> 2")

    (probe,) = parse([("tables.probes", first), ("x.probes", second)])

    assert probe.setup == ("SELECT 1",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("what is this", "x.probes:1: not a line of a probe"),
        ("a: SELECT 1 -> 1", "x.probes:1: a probe starts with"),
        (f"{HEAD}a: SELECT 1", "x.probes:4: a step is"),
        (f"{HEAD}a: SELECT 1 -> 1 |", "x.probes:4: a step is"),
        (f"{HEAD}tags: again\na: SELECT 1 -> 1", "x.probes:4: unknown or repeated: 'tags'"),
        (f"{HEAD}wait: 5", "x.probes:4: unknown or repeated: 'wait'"),
        (f"{HEAD}tables: none\na: SELECT 1 -> 1", "x.probes:1: unknown tables none"),
        ("probe: p\nsource: PG\na: SELECT 1 -> 1", "x.probes:1: the probe lacks tags"),
        (HEAD, "x.probes:1: the probe lacks steps"),
        ("probe: p\ntags: t\nsource: ME\na: SELECT 1 -> 1", "x.probes:1: source is one of OBS, DOC, PG"),
        (f"{HEAD}a: SELECT 1 -> 1\n{HEAD}a: SELECT 1 -> 1", "two probes are named 'p'"),
    ],
)
def test_a_wrong_notation_is_refused_with_its_line(text: str, message: str) -> None:
    """A typing error never gives a probe that tests less than it seems to."""
    with pytest.raises(UsageError) as refused:
        parse([("x.probes", text)])

    assert message in str(refused.value)


def test_only_chooses_by_name_pattern_or_tag() -> None:
    """A probe is chosen by a part of its name in any case, a pattern for the whole name, or a tag."""
    probes = load_probes()

    assert {"deadlock"} <= set(select(probes, "CROSSED updates")[0].tags)
    assert all(probe.name.startswith("FOR KEY SHARE") for probe in select(probes, "for key share ag*"))
    assert all("savepoint" in probe.tags for probe in select(probes, "savepoint"))
    with pytest.raises(UsageError, match="tags are abort, "):
        select(probes, "no such probe")


def test_the_probes_cover_what_they_must() -> None:
    """Each tag for a part of the conflict matrix, the rules and the limits has probes."""
    probes = load_probes()
    tags = Counter(tag for probe in probes for tag in probe.tags)

    assert len(probes) >= 45
    assert {probe.origin for probe in probes} == set(SOURCES)
    for tag in (
        *("insert", "update", "delete", "key", "lock", "keyshare", "foreign", "unique", "skew", "read"),
        *("isolation", "savepoint", "ddl", "index", "schema", "grant", "limit", "upsert", "abort"),
        *("type", "uuid", "text", "null", "jsonb", "deadlock", "setting", "returning", "retry"),
    ):
        assert tags[tag] > 0, tag


def test_no_expectation_waits_and_every_conflict_has_two_sessions() -> None:
    """On Aurora DSQL no statement waits, and no session conflicts with itself."""
    probes = load_probes()

    assert len(probes) > 20
    for probe in probes:
        assert not any("waits" in step.expected for step in probe.steps), probe.name
        if any(answer.startswith("40001") for step in probe.steps for answer in step.expected):
            assert len(probe.sessions) > 1 or "index" in probe.tags, probe.name


def test_a_step_holds_with_any_of_its_answers() -> None:
    """Alternatives are equal. `rows` stands for at least one row with any values."""
    step = Step("a", "SELECT 1", ("40001 OC001", "rows"))

    assert Observed(step, Answer(AnswerType.ERROR, "40001 OC001")).holds
    assert Observed(step, Answer(AnswerType.ROWS, "7, x")).holds
    assert not Observed(step, Answer(AnswerType.ROWS, "no rows")).holds
    assert not Observed(step, Answer(AnswerType.ERROR, "40001")).holds
    assert not Observed(step, Answer(AnswerType.TAG, "COMMIT")).holds
    assert not Observed(step, None).holds


def test_some_step_must_get_the_answer_that_may_come_anywhere() -> None:
    """A probe fails if no step got the answer in `some`, even if every answer is allowed."""
    probe = probe_of("1 | 40001 OC001", "2 | 40001 OC001", some="40001 OC001")
    one, two, conflict = (
        Answer(AnswerType.ROWS, "1"),
        Answer(AnswerType.ROWS, "2"),
        Answer(AnswerType.ERROR, "40001 OC001"),
    )

    assert played(probe, one, conflict).holds
    assert not played(probe, one, two).holds
    assert cell(played(probe, one, two)) == "never 40001 OC001"


def test_the_matrix_shows_the_first_difference() -> None:
    """A table cell has the step and its answer. Steps and Markdown show the same; JSON has everything."""
    probe = probe_of("0", "40001 OC000", "2")
    good = played(
        probe,
        Answer(AnswerType.ROWS, "0"),
        Answer(AnswerType.ERROR, "40001 OC000"),
        Answer(AnswerType.ROWS, "2"),
    )
    waits = played(probe, Answer(AnswerType.ROWS, "0"), Answer(AnswerType.WAITS, "waits"), None)
    matrix = Matrix(("one", "two"), (Row(probe, (good, waits)),))

    assert decisive(probe) == "a: SELECT → 40001 OC000"
    assert cell(waits) == "a: SELECT → waits"
    assert markdown(matrix).splitlines()[-1] == (
        "| p | PG | a: SELECT → 40001 OC000 | same | a: SELECT → waits |"
    )
    assert list(steps(matrix))[:4] == [
        "p · two",
        "  a: SELECT 0 -> 0",
        "! a: SELECT 1 -> 40001 OC000",
        "    observed: waits",
    ]
    assert matrix.as_json()["targets"] == [
        {"target": "one", "probes": 1, "hold": 1},
        {"target": "two", "probes": 1, "hold": 0},
    ]
    assert not matrix.holds


def test_the_document_shows_every_probe() -> None:
    """docs/probe.md is made with `hotrow probe --markdown`; a new or renamed probe makes it stale."""
    shown = (ROOT / "docs" / "probe.md").read_text(encoding="utf-8")

    assert [probe.name for probe in load_probes() if f"| {probe.name} |" not in shown] == []
