"""`hotrow cost RUN`: cost.json, the output, and exit code 0 if there are no metrics."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from analysis.dpu import MINUTE_NS, read_cost
from hotrow.attempt.record import Outcome
from hotrow.commands.main import main
from hotrow.targets.dsql import cloudwatch
from reports.charts.all_charts import charts
from reports.output import html
from tests.reports.test_html import Page
from tests.support.measured import WALL_NS, run_json
from tests.support.run_files import write_attempts
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

CLUSTER = {"host": "abc.dsql.us-east-1.on.aws", "region": "us-east-1", "id": "abc"}
BEGIN_NS = (WALL_NS // MINUTE_NS) * MINUTE_NS
VALUES = {"TotalDPU": 60.0, "WriteDPU": 20.0, "OccConflicts": 1.0, "CommitLatency": 6.0}


class Client:
    """Stands in for CloudWatch's client: a value for every minute of each metric in VALUES, or an error."""

    def __init__(self, dimension: str = "ClusterId", error: Exception | None = None) -> None:
        self.dimension = dimension
        self.error = error

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        if self.error:
            raise self.error
        minutes = range(int(request["StartTime"].timestamp()), int(request["EndTime"].timestamp()), 60)
        return {"MetricDataResults": [self._result(query, minutes) for query in request["MetricDataQueries"]]}

    def _result(self, query: dict[str, Any], minutes: range) -> dict[str, Any]:
        (dimension,) = query["MetricStat"]["Metric"]["Dimensions"]
        known = query["Label"] in VALUES and dimension == {"Name": self.dimension, "Value": "abc"}
        times = [datetime.fromtimestamp(second, UTC) for second in minutes if known]
        return {
            "Label": query["Label"],
            "Timestamps": times,
            "Values": [VALUES.get(query["Label"])] * len(times),
        }


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run on a cluster: five attempts, one per half-minute from second 30; the third is a conflict."""
    write_run(tmp_path, {"kind": "dsql", "conflicts": "commit", "clusters": [CLUSTER]})
    return tmp_path


def write_run(directory: Path, target: dict[str, Any]) -> None:
    meta = run_json()
    (directory / "run.json").write_text(json.dumps({**meta, "target": {**meta["target"], **target}}))
    ends = [(Outcome.COMMITTED, "")] * 5
    ends[2] = (Outcome.CONFLICT, "40001")
    starts_ns = range(30_000_000_000, 180_000_000_000, 30_000_000_000)
    write_attempts(directory, [(at_ns, *end) for at_ns, end in zip(starts_ns, ends, strict=True)], BEGIN_NS)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A CloudWatch that has all metrics."""
    monkeypatch.setattr(cloudwatch, "make_client", lambda _region: Client())
    return monkeypatch


def cost(run: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["cost", str(run), *words])


@pytest.mark.usefixtures("answers")
def test_cost_is_printed_and_written(run: Path) -> None:
    """Minute 1 is whole: it has 60 DPU and two of hotrow's attempts, one of them a conflict."""
    result = cost(run, "--dpu-price", "10")

    assert result.exit_code == 0, result.output
    written = read_cost(run)
    assert written is not None
    assert written["price_dollars_per_million_dpu"] == 10.0
    assert written["rates"]["attempts"] == 2
    assert written["rates"]["dollars_per_million_commits"] == 600.0
    assert "$300.00 at most: 50.0 % of attempts" in result.stdout
    assert "1 by hotrow, 1 by CloudWatch" in result.stdout


@pytest.mark.usefixtures("answers")
def test_json_has_the_written_cost(run: Path) -> None:
    """If there is a cost, the reason is null."""
    facts = json.loads(cost(run, "--json").stdout)

    assert facts == {"cost": read_cost(run), "reason": None}


def test_the_dimension_is_written(run: Path, answers: pytest.MonkeyPatch) -> None:
    """cost.json has the dimension under which CloudWatch has the metrics."""
    answers.setattr(cloudwatch, "make_client", lambda _region: Client("ResourceId"))

    assert cost(run).exit_code == 0
    written = read_cost(run)
    assert written is not None
    assert written["clusters"] == [{"region": "us-east-1", "id": "abc", "dimension": "ResourceId"}]


@pytest.mark.parametrize(
    ("client", "says"),
    [
        (Client("Other"), "nothing of cluster abc"),
        (Client(error=cloudwatch.NoMetricsError("CloudWatch denies access")), "denies access"),
    ],
    ids=["no data", "no permission"],
)
def test_no_metrics_is_one_line_and_no_failure(
    run: Path, answers: pytest.MonkeyPatch, client: Client, says: str
) -> None:
    """The exit code is 0, and nothing is written."""
    answers.setattr(cloudwatch, "make_client", lambda _region: client)

    result = cost(run)

    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("hotrow: no cost: ")
    assert says in line
    assert result.stdout == ""
    assert read_cost(run) is None
    assert says in json.loads(cost(run, "--json").stdout)["reason"]


def test_without_credentials_it_is_off(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The real client finds no credentials and sends no request."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    result = cost(run)

    assert result.exit_code == 0
    assert "no AWS credentials" in result.stderr


def test_a_run_on_the_stand_in_has_no_cost(tmp_path: Path) -> None:
    """One line and exit code 0, so that a script may run the command after every run."""
    write_run(tmp_path, {"kind": "local", "conflicts": "commit"})

    result = cost(tmp_path)

    assert result.exit_code == 0
    assert "was not on a cluster of Aurora DSQL" in result.stderr


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    """The exit code is 2, as with `hotrow report`."""
    assert cost(tmp_path / "nowhere").exit_code == 2


@pytest.mark.usefixtures("answers")
def test_the_page_shows_the_cost_if_there_is_one(run: Path) -> None:
    """A card has the words of the command. Without cost.json there is no card."""
    cost(run)
    summary = sample_summary(users=(1, 2))
    drawn = charts(summary)

    page = html.page(summary, drawn, read_cost(run))

    assert "Cost" in Page(page).texts["h2"]
    assert "1 by hotrow, 1 by CloudWatch (OccConflicts)" in page
    assert "Cost" not in Page(html.page(summary, drawn)).texts["h2"]
