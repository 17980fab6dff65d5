"""CloudWatch's answers, stubbed: what is asked, what is read, and what stands in the way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import (
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)
from botocore.stub import ANY, Stubber

from hotrow.targets.dsql import cloudwatch
from hotrow.targets.dsql.cloudwatch import NoMetricsError, read_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTES = range(29_000_000, 29_000_003)
NAMES = ("TotalDPU", "CommitLatency")


@pytest.fixture
def client() -> Any:
    """A client that reaches nobody."""
    keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "nobody-sees-this"}
    return boto3.client("cloudwatch", region_name="us-east-1", **keys)


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    """All answers, in their order; every one must be asked for."""
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def answer(
    *results: tuple[str, dict[int, float]], more: str = "", status: str = "Complete"
) -> dict[str, Any]:
    page: dict[str, Any] = {
        "MetricDataResults": [
            {
                "Id": name.lower(),
                "Label": name,
                "Timestamps": [datetime.fromtimestamp(minute * 60, UTC) for minute in values],
                "Values": list(values.values()),
                "StatusCode": status,
            }
            for name, values in results
        ]
    }
    return {**page, "NextToken": more} if more else page


def asked(dimension: str, **more: Any) -> dict[str, Any]:
    """The request: each metric of the cluster, by the minute, over the span."""
    queries = [
        {
            "Id": f"m_{name.lower()}",
            "Label": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/AuroraDSQL",
                    "MetricName": name,
                    "Dimensions": [{"Name": dimension, "Value": "abc"}],
                },
                "Period": 60,
                "Stat": stat,
            },
        }
        for name, stat in (("TotalDPU", "Sum"), ("CommitLatency", "p50"))
    ]
    begin, end = (datetime.fromtimestamp(edge * 60, UTC) for edge in (MINUTES.start, MINUTES.stop))
    return {
        "MetricDataQueries": queries,
        "StartTime": begin,
        "EndTime": end,
        "ScanBy": "TimestampAscending",
        **more,
    }


def test_values_come_by_minute(client: Any, stub: Stubber) -> None:
    """Sums of everything but the commit latency, of which there is p50; the dimension is ClusterId."""
    stub.add_response(
        "get_metric_data",
        answer(("TotalDPU", {29_000_000: 1.5, 29_000_001: 2.0}), ("CommitLatency", {29_000_001: 6.0})),
        asked("ClusterId"),
    )

    found = read_metrics(client, "abc", NAMES, MINUTES)

    assert found == (
        "ClusterId",
        {"TotalDPU": {29_000_000: 1.5, 29_000_001: 2.0}, "CommitLatency": {29_000_001: 6.0}},
    )


def test_the_other_dimension_is_tried_where_the_first_has_nothing(client: Any, stub: Stubber) -> None:
    """Both have been documented; which one it was is told."""
    stub.add_response("get_metric_data", answer(("TotalDPU", {}), ("CommitLatency", {})), asked("ClusterId"))
    stub.add_response("get_metric_data", answer(("TotalDPU", {29_000_002: 3.0})), asked("ResourceId"))

    assert read_metrics(client, "abc", NAMES, MINUTES) == ("ResourceId", {"TotalDPU": {29_000_002: 3.0}})


def test_no_data_is_nothing_and_no_nought(client: Any, stub: Stubber) -> None:
    """Too early, or another cluster's name."""
    for dimension in ("ClusterId", "ResourceId"):
        stub.add_response("get_metric_data", answer(("TotalDPU", {})), asked(dimension))

    assert read_metrics(client, "abc", NAMES, MINUTES) == (None, {})


def test_every_page_is_read(client: Any, stub: Stubber) -> None:
    """A long run does not fit one answer."""
    stub.add_response("get_metric_data", answer(("TotalDPU", {29_000_000: 1.0}), more="more"), ANY_REQUEST)
    stub.add_response(
        "get_metric_data", answer(("TotalDPU", {29_000_001: 2.0})), asked("ClusterId", NextToken="more")
    )

    _, found = read_metrics(client, "abc", NAMES, MINUTES)

    assert found == {"TotalDPU": {29_000_000: 1.0, 29_000_001: 2.0}}


ANY_REQUEST = {"MetricDataQueries": ANY, "StartTime": ANY, "EndTime": ANY, "ScanBy": ANY}


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AccessDenied", "allow cloudwatch:GetMetricData"),
        ("AccessDeniedException", "allow cloudwatch:GetMetricData"),
        ("ExpiredToken", "ExpiredToken: check the AWS credentials"),
    ],
)
def test_a_refusal_is_one_line(client: Any, stub: Stubber, code: str, says: str) -> None:
    """With what would help, and without AWS's own words: they name accounts and roles."""
    stub.add_client_error("get_metric_data", code, "User arn:aws:iam::111122223333:user/x is not authorized")

    with pytest.raises(NoMetricsError, match=says) as caught:
        read_metrics(client, "abc", NAMES, MINUTES)

    assert "111122223333" not in str(caught.value)


def test_a_forbidden_metric_is_a_refusal(client: Any, stub: Stubber) -> None:
    """CloudWatch says it in the answer's status, too."""
    stub.add_response("get_metric_data", answer(("TotalDPU", {}), status="Forbidden"), ANY_REQUEST)

    with pytest.raises(NoMetricsError, match="GetMetricData"):
        read_metrics(client, "abc", NAMES, MINUTES)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (NoCredentialsError(), "no AWS credentials"),
        (ProfileNotFound(profile="x"), "no AWS credentials"),
        (TokenRetrievalError(provider="sso", error_msg="x"), "no AWS credentials"),
        (EndpointConnectionError(endpoint_url="https://x"), "not reached"),
    ],
)
def test_what_stands_in_the_way_before_any_answer(error: Exception, says: str) -> None:
    """No credentials, or no network."""

    class Client:
        def get_metric_data(self, **_: Any) -> None:
            raise error

    with pytest.raises(NoMetricsError, match=says):
        read_metrics(Client(), "abc", NAMES, MINUTES)


def test_an_unknown_profile_is_told_when_the_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(NoMetricsError, match="ProfileNotFound"):
        cloudwatch.make_client("us-east-1")
