"""Scripts that are refused before anything starts, with file, line and column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotrow.errors import UsageError
from hotrow.script.compiler import compile_script, refuse_unset
from hotrow.script.finding_scripts import find_any_scenario
from hotrow.script.source_text import ScriptError, Source
from scenarios import ALL

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1:1: the script has no SQL statement"),
        ("\\set a 1", "1:1: the script has no SQL statement"),
        ("SELECT 'x;", "1:8: the quote ' is not closed"),
        ("SELECT 1; /* x", "1:11: this comment is not closed"),
        ("SELECT (1;", "1:8: this parenthesis is not closed"),
        ("SELECT 1;\n\\shell ls", r"2:1: \\shell is refused"),
        ("\\setshell a ls\nSELECT 1;", r"1:1: \\setshell is refused"),
        ("SELECT 1;\n\\ x", "2:1: a backslash must begin a command"),
        ("SELECT 1;\n  \\gexec", r"2:3: unknown command \\gexec; the commands are \\set"),
        ("\\set\nSELECT 1;", r"1:1: \\set needs a name"),
        ("\\set 1a 1\nSELECT 1;", r"1:1: \\set needs a name"),
        ("SELECT 1;\n\\sleep", r"2:1: \\sleep takes"),
        ("SELECT 1;\n\\if 1\n\\else 2\n\\endif", r"3:7: \\else takes nothing"),
        ("\\if 1\nSELECT 1;", r"1:1: this \\if has no \\endif"),
        ("SELECT 1;\n\\elif 1", r"2:1: \\elif without \\if"),
        ("SELECT 1 \\gset a b", r"1:15: \\gset takes a prefix"),
        ("BEGIN;\nBEGIN;\nEND;", "2:1: BEGIN inside a transaction"),
        ("SELECT 1;\nCOMMIT;", "2:1: no transaction is open here"),
        ("SELECT 1;\n\\if 1\nBEGIN;\n\\endif\nEND;", "3:1: the transaction that begins here is ended in one"),
        ("\\if 1\nBEGIN;\nSELECT 1;\n\\endif", "2:1: the transaction that begins here is ended in one"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE;\nEND;", "1:1: the target sets the isolation level"),
        ("BEGIN;\nSET TRANSACTION READ ONLY;\nEND;", "2:1: the target sets the isolation level"),
        ("BEGIN;\nCOMMIT AND CHAIN;\nEND;", "2:1: write COMMIT without more words"),
        ("BEGIN;\nPREPARE TRANSACTION 'a';", "2:1: two-phase commit"),
        ("COPY a FROM stdin;", "1:1: COPY needs a client"),
        ("\\startpipeline\nSELECT 1;", r"1:1: this \\startpipeline has no \\endpipeline"),
        ("\\startpipeline\nSELECT 1 \\gset\n\\endpipeline", r"2:1: \\gset cannot be used in a pipeline"),
        ("SELECT 1;\n\\endpipeline", r"2:1: \\endpipeline without \\startpipeline"),
        ("\\startpipeline\nSELECT 1;\nBEGIN;\nEND;\n\\endpipeline", "3:1: BEGIN inside a pipeline, after"),
        ("\\startpipeline\n\\startpipeline\nSELECT 1;\n\\endpipeline", r"2:1: \\startpipeline in a pipeline"),
        ("SELECT :nothing;", "1:8: variable nothing is not set; set it, or pass --define nothing=VALUE"),
        ("\\set a :b + 1\nSELECT :a;", "1:8: variable b is not set"),
    ],
)
def test_a_script_that_cannot_run_is_refused(text: str, fault: str) -> None:
    """The message says where."""
    with pytest.raises(ScriptError, match=f"^mine.sql:{fault}"):
        refuse_unset(compile_script(Source("mine.sql", text)), frozenset())


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ':nothing', \":nothing\", $$:nothing$$, '12:30', a::text, b[1:2] -- :nothing",
        "SELECT n AS found FROM t \\gset\nSELECT :found;",
        "\\if :scale\nBEGIN;\n\\else\nSTART TRANSACTION;\n\\endif\nEND;",
        "\\startpipeline\n\\if :scale\nSELECT 1;\n\\endif\nSELECT 2;\n\\endpipeline",
        "CREATE TABLE a (b int); -- the last line has no end",
    ],
)
def test_a_script_that_can_run_is_not_refused(text: str) -> None:
    """No colon is taken for a variable, and paths that meet in order are fine."""
    refuse_unset(compile_script(Source("mine.sql", text)), frozenset({"scale"}))


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("missing.sql", "missing.sql: no such file"),
        ("tpcb-like,transfer", "transfer: a script's name ends in .sql; the built-in ones are tpcb-like"),
        ("tpcb-like@0", "each script has the weight 0"),
        ("tpcb-like,tpcb-like@2", "a script is given twice"),
        ("transferr", "unknown scenario; did you mean transfer"),
    ],
)
def test_names_that_are_no_script_are_refused(name: str, fault: str) -> None:
    """In one line."""
    with pytest.raises(UsageError, match=fault):
        find_any_scenario(name, ALL)


@pytest.mark.parametrize(
    ("content", "fault"), [(b"SELECT '\xff';", "is not UTF-8"), (b"SELECT 1;\0", "holds a NUL character")]
)
def test_a_file_that_is_no_text_is_refused(content: bytes, fault: str, tmp_path: Path) -> None:
    """In one line."""
    path = tmp_path / "mine.sql"
    path.write_bytes(content)

    with pytest.raises(UsageError, match=fault):
        find_any_scenario(str(path), ALL)


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("bid", "--key bid: must be set once, to a random function and nothing else, .* aid can be named"),
        ("twice", "--key twice: must be set once"),
        ("9", "--key 9: must be the name of a variable"),
    ],
)
def test_a_key_must_have_a_range(key: str, fault: str, tmp_path: Path) -> None:
    """Otherwise nobody knows which values it can have."""
    twice = "\\set twice random(1, 2)\n\\set twice random(1, 3)"
    text = f"\\set aid random(1, 10)\n\\set bid :aid + 1\n{twice}\nSELECT 1;"
    (tmp_path / "mine.sql").write_text(text)

    with pytest.raises(UsageError, match=fault):
        find_any_scenario(str(tmp_path / "mine.sql"), ALL)(key=key)
