"""Refuses what Aurora DSQL refuses, as far as the words of a statement show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.standin.rewriting.sql_text import Refusal, Statement
from hotrow.standin.rewriting.table_ddl import index_at, table_at

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERIALS = frozenset({"SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL2", "SERIAL4", "SERIAL8"})
_MIN_LARGE_CACHE = 65_536

_BY_FIRST_WORDS = {
    "SAVEPOINT": "unsupported transaction statement: SAVEPOINT",
    "RELEASE": "unsupported transaction statement: RELEASE SAVEPOINT",
    "ROLLBACK TO": "unsupported transaction statement: ROLLBACK TO SAVEPOINT",
    "ROLLBACK WORK TO": "unsupported transaction statement: ROLLBACK TO SAVEPOINT",
    "ROLLBACK TRANSACTION TO": "unsupported transaction statement: ROLLBACK TO SAVEPOINT",
    "PREPARE TRANSACTION": "unsupported statement: PREPARE TRANSACTION",
    "TRUNCATE": "unsupported statement: TRUNCATE",
    "LISTEN": "unsupported statement: LISTEN",
    "NOTIFY": "unsupported statement: NOTIFY",
    "UNLISTEN": "unsupported statement: UNLISTEN",
    "DO": "unsupported statement: DO",
    "VACUUM": "unsupported statement: VACUUM",
    "SET CONSTRAINTS": "unsupported statement: SET CONSTRAINTS",
    "CREATE TRIGGER": "triggers are not supported",
    "CREATE CONSTRAINT TRIGGER": "triggers are not supported",
    "CREATE EVENT TRIGGER": "triggers are not supported",
    "CREATE EXTENSION": "extensions are not supported",
    "CREATE TEMP": "temporary tables are not supported",
    "CREATE TEMPORARY": "temporary tables are not supported",
    "CREATE UNLOGGED": "unlogged tables are not supported",
}


def check_rules(statement: Statement) -> None:
    """Check that Aurora DSQL accepts the statement, as far as its words show it.

    Raises:
        Refusal: Aurora DSQL does not accept it.
    """
    _check_first_words(statement)
    if statement[0].word in {"BEGIN", "START"}:
        _check_modes(statement, 1)
    elif statement.at(0, "SET"):
        _check_set(statement)
    elif statement.at(0, "CREATE"):
        _check_create(statement)
    elif statement.at(0, "ALTER", "TABLE"):
        _check_identity(statement)
        _check_serial(statement, _added_types(statement))


def _check_first_words(statement: Statement) -> None:
    words = [token.word for token in statement.tokens[:6]]
    if words[:3] == ["CREATE", "OR", "REPLACE"]:
        del words[1:3]
    if words[:1] == ["CREATE"] and words[1:2] in (["GLOBAL"], ["LOCAL"]):
        del words[1]
    for length in (1, 2, 3):
        message = _BY_FIRST_WORDS.get(" ".join(words[:length]))
        if message is not None:
            raise Refusal(message)


def _check_modes(statement: Statement, start: int) -> None:
    """Refuse the transaction modes that Aurora DSQL does not have."""
    level = statement.find("ISOLATION", "LEVEL", start=start)
    if level is not None:
        _check_level(_level(statement, level + 2))
    deferrable = statement.find("DEFERRABLE", start=start)
    if deferrable is not None and not statement.at(deferrable - 1, "NOT"):
        raise Refusal("unsupported transaction mode: DEFERRABLE")


def _level(statement: Statement, index: int) -> str:
    """The isolation level at this token. All levels except SERIALIZABLE have two words."""
    return statement[index].word if statement.at(index, "SERIALIZABLE") else _words(statement, index, 2)


def _words(statement: Statement, index: int, count: int) -> str:
    return " ".join(token.word for token in statement.tokens[index : index + count])


def _check_level(level: str) -> None:
    if level != "REPEATABLE READ":
        raise Refusal(f"unsupported isolation level: {level}")


def _check_set(statement: Statement) -> None:
    name = statement.after_any(1, "SESSION", "LOCAL")
    if statement.at(name, "TRANSACTION"):
        raise Refusal("unsupported statement: SET TRANSACTION")
    if statement[name].word in {"CHARACTERISTICS", "SESSION"}:
        _check_modes(statement, name)
    value = statement.after_any(name + 1, "=", "TO")
    setting = statement[name].folded
    if value > name + 1 and setting == "statement_timeout":
        raise Refusal("setting statement_timeout is not supported")
    if setting in {"default_transaction_isolation", "transaction_isolation"}:
        level = statement[value].folded.upper()
        _check_level("REPEATABLE READ" if level == "DEFAULT" else level)


def _check_create(statement: Statement) -> None:
    object_type = statement.after(1, "OR", "REPLACE")
    if statement[object_type].word in {"FUNCTION", "PROCEDURE"}:
        _check_language(statement)
    elif statement.at(1, "SEQUENCE"):
        _check_cache(statement, 1, len(statement.tokens))
    elif index := index_at(statement):
        _check_index(statement, index)
    elif name := table_at(statement):
        _check_identity(statement)
        _check_serial(statement, _column_types(statement, name))


def _check_language(statement: Statement) -> None:
    language = statement.find("LANGUAGE", depth=0)
    if language is not None and statement[language + 1].folded.lower() != "sql":
        raise Refusal(f"functions in {statement[language + 1].folded} are not supported")


def _check_cache(statement: Statement, start: int, end: int) -> None:
    """Refuse a sequence whose CACHE, the numbers that a session takes at once, is missing or not allowed."""
    cache = next((i for i in range(start, end) if statement.at(i, "CACHE")), end)
    size = statement[cache + 1].text
    if cache == end or not (size == "1" or (size.isdigit() and int(size) >= _MIN_LARGE_CACHE)):
        raise Refusal(f"CACHE must be 1 or >= {_MIN_LARGE_CACHE}: say it explicitly")


def _check_identity(statement: Statement) -> None:
    for i in range(len(statement.tokens)):
        if statement.at(i, "AS", "IDENTITY"):
            end = statement.close(i + 2) if statement.at(i + 2, "(") else i + 2
            _check_cache(statement, i + 2, end)


def _check_index(statement: Statement, index: int) -> None:
    if not statement.at(index, "ASYNC"):
        raise Refusal("unsupported mode. please use CREATE INDEX ASYNC")
    using = statement.find("USING", start=index, depth=0)
    if using is not None and statement[using + 1].folded != "btree":
        raise Refusal(f"unsupported index access method: {statement[using + 1].folded}")


def _check_serial(statement: Statement, types: Iterator[int]) -> None:
    for i in types:
        if statement[i].word in _SERIALS:
            raise Refusal(f"type {statement[i].folded} is not supported: use an identity column with CACHE")


def _column_types(statement: Statement, name: int) -> Iterator[int]:
    """The second word of each element in CREATE TABLE's list."""
    opening = statement.name_end(name)
    if statement.at(opening, "("):
        for i, j in statement.items(opening + 1, statement.close(opening)):
            if j > i + 1:
                yield i + 1


def _added_types(statement: Statement) -> Iterator[int]:
    """The word after the name in each ADD [COLUMN] [IF NOT EXISTS]."""
    for i in range(len(statement.tokens)):
        if statement.at(i, "ADD"):
            yield statement.after(statement.after(i + 1, "COLUMN"), "IF", "NOT", "EXISTS") + 1
