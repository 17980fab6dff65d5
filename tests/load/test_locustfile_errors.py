"""Exit code 1 means that a gate failed: a locustfile that is missing or broken does not end with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.commands import run

if TYPE_CHECKING:
    from pathlib import Path

OWN = 'from hotrow.errors import UsageError\nimport hotrow.load\nraise UsageError("--shards 0: at least 1")\n'
OTHER = 'import hotrow.load\nraise ValueError("boom")\n'


@pytest.mark.parametrize(
    ("words", "text", "last_line"),
    [
        (["hotrow", "locust"], None, "Could not find 'mine.py'. "),
        (["hotrow", "locust"], "def (\n", "SyntaxError: invalid syntax"),
        (["locust"], OWN, "hotrow: --shards 0: at least 1"),
        (["locust"], OTHER, "ValueError: boom"),
    ],
    ids=["missing", "broken", "an error of hotrow", "an error of the locustfile"],
)
def test_a_locustfile_that_cannot_be_used_is_an_error(
    words: list[str], text: str | None, last_line: str, tmp_path: Path
) -> None:
    """Exit code 2, and the last line says what is wrong."""
    if text is not None:
        (tmp_path / "mine.py").write_text(text)

    done = run(*words, "-f", "mine.py", "--headless", "-t", "1s", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(last_line)


def test_locust_alone_answers_1_if_there_is_no_locustfile(tmp_path: Path) -> None:
    """Locust has not loaded hotrow then, and docs/exit-codes.md says so."""
    assert run("locust", "-f", "mine.py", "--headless", cwd=tmp_path).returncode == 1
