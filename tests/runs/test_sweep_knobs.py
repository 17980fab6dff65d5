"""`hotrow sweep` over knobs and policies, with built-in scenarios and a user's file; refused options."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.commands import exit_code, only_run, run, summary_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("hotrow_home")

QUICK = ["--users", "4", "--duration", "1s", "--warmup", "200ms", "--keys", "10"]
MINE = '''
from hotrow.knob import Whole
from scenarios.counter import Counter

class Mine(Counter):
    """Adds `step` to a counter."""
    name = "mine"
    step = Whole(1, "how much is added", least=1)

    def run(self, session, work):
        assert self.step == 5
        super().run(session, work)
'''


@pytest.fixture(scope="module")
def swept(hotrow_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a sweep over two numbers of shards and two policies, on one hot counter."""
    assert hotrow_home
    out = tmp_path_factory.mktemp("swept")
    words = ["--shards", "1,4", "--retry", "none,full-jitter:base=5ms,cap=20ms", "--skew", "hot"]
    done = run("hotrow", "sweep", "counter", *words, *QUICK, "--out", str(out))
    assert exit_code(done) == 0, done.stderr
    assert "report.html" in done.stdout
    return only_run(out)


def cells_of(run_directory: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads((run_directory / "run.json").read_text())["cells"]
    return cells


def test_cells_are_knobs_by_policies(swept: Path) -> None:
    """Every combination runs once. run.json has the values of the knobs and the number of rows per key."""
    assert [
        (cell["knobs"], cell["rows_per_key"], cell["retry"].partition(":")[0]) for cell in cells_of(swept)
    ] == [
        ({"shards": 1}, 1, "none"),
        ({"shards": 1}, 1, "full-jitter"),
        ({"shards": 4}, 4, "none"),
        ({"shards": 4}, 4, "full-jitter"),
    ]


def test_each_cell_ran_with_its_own_knobs(swept: Path) -> None:
    """Four users conflict often on one row, less often on four. No increment is lost or applied twice."""
    one, _, four, _ = summary_of(swept)["cells"]

    assert one["conflict_rate"]["value"] > 0.65
    assert 0.2 < four["conflict_rate"]["value"] < 0.55
    assert [cell["verdict"]["valid"] for cell in summary_of(swept)["cells"]] == [True] * 4


def test_the_report_names_what_varies(swept: Path) -> None:
    """The page has the knob with its value, and the policy. The pictures are beside it."""
    page = (swept / "report.html").read_text()

    assert "shards 4" in page
    assert "full-jitter" in page
    assert (swept / "conflict-rate.png").is_file()


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_scenario_of_one_s_own(processes: str, tmp_path: Path) -> None:
    """A file outside the project runs, with a knob of its own, in one process or several."""
    (tmp_path / "mine.py").write_text(MINE)
    words = ["--step", "5", "--skew", "uniform", *QUICK, "--processes", processes]

    done = run(
        "hotrow", "sweep", str(tmp_path / "mine.py"), *words, "--no-report", "--out", str(tmp_path / "out")
    )

    assert exit_code(done) == 0, done.stderr
    (cell,) = summary_of(only_run(tmp_path / "out"))["cells"]
    assert cell["scenario"] == "mine"
    assert cell["attempts"]["error"] == 0
    assert cell["verdict"]["valid"] is True


def test_a_locustfile_has_the_knobs_as_options(tmp_path: Path) -> None:
    """Each takes one value, which run.json then has."""
    words = [
        "--headless",
        "-H",
        "local",
        "-u",
        "2",
        "-r",
        "2",
        "-t",
        "2s",
        "--warmup",
        "200ms",
        "--only-summary",
    ]

    done = run(
        "locust",
        "-f",
        "locustfiles/counter.py",
        *words,
        "--shards",
        "3",
        "--no-report",
        "--out",
        str(tmp_path),
    )

    assert exit_code(done) == 0, done.stderr
    directory = only_run(tmp_path)
    assert cells_of(directory)[0]["knobs"] == {"shards": 3}
    assert json.loads((directory / "run.json").read_text())["options"]["shards"] == "3"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shrads", "4"], "did you mean --shards"),
        (["--shards"], "--shards: give it a value"),
        (["--shards", "0"], "--shards 0: must be a whole number from 1"),
        (["--shards", "1,many"], "--shards many"),
        (["--shards", "4,4"], "twice"),
        (["--shards", "1,,4"], "--shards 1,,4: a value is missing"),
        (["--hold", "5ms"], "knob of counter"),
        (["4"], "knob of counter"),
        (["--retry", "none,none"], "none"),
    ],
)
def test_sweep_refuses(words: list[str], message: str, tmp_path: Path) -> None:
    """It prints one line that names what to change, before anything starts."""
    done = run("hotrow", "sweep", "counter", *words, "--out", str(tmp_path / "results"))

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not list(tmp_path.glob("results/*"))


def test_a_knob_before_the_scenario_is_refused(tmp_path: Path) -> None:
    """Click would mistake the option's name for the scenario."""
    done = run("hotrow", "sweep", "--shards", "4", "counter", "--out", str(tmp_path))

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "give the scenario before its knobs" in done.stderr
