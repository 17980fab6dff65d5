"""Reading metrics from a stubbed CloudWatch: the request, the values, and errors."""

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
    """A CloudWatch client with made-up keys, which never uses the network."""
    keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "nobody-sees-this"}
    return boto3.client("cloudwatch", region_name="us-east-1", **keys)


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    """A stub with the answers in order. Every answer must be requested."""
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
    """The expected request: each metric of the cluster, per minute, over the time span."""
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
    """Metrics are sums, except the commit latency, which is p50. The dimension is ClusterId."""
    stub.add_response(
        "get_metric_data",
        answer(("TotalDPU", {29_000_000: 1.5, 29_000_001: 2.0}), ("CommitLatency", {29_000_001: 6.0})),
        asked("ClusterId"),
    )

    metrics = read_metrics(client, "abc", NAMES, MINUTES)

    assert metrics == (
        "ClusterId",
        {"TotalDPU": {29_000_000: 1.5, 29_000_001: 2.0}, "CommitLatency": {29_000_001: 6.0}},
    )


def test_the_other_dimension_is_tried_if_the_first_has_nothing(client: Any, stub: Stubber) -> None:
    """AWS has documented both. The result names the one that had data."""
    stub.add_response("get_metric_data", answer(("TotalDPU", {}), ("CommitLatency", {})), asked("ClusterId"))
    stub.add_response("get_metric_data", answer(("TotalDPU", {29_000_002: 3.0})), asked("ResourceId"))

    assert read_metrics(client, "abc", NAMES, MINUTES) == ("ResourceId", {"TotalDPU": {29_000_002: 3.0}})


def test_no_data_is_not_zero(client: Any, stub: Stubber) -> None:
    """There is no data if it is too early, or if the cluster's name is wrong."""
    for dimension in ("ClusterId", "ResourceId"):
        stub.add_response("get_metric_data", answer(("TotalDPU", {})), asked(dimension))

    assert read_metrics(client, "abc", NAMES, MINUTES) == (None, {})


def test_every_page_is_read(client: Any, stub: Stubber) -> None:
    """The metrics of a long run do not fit in one answer."""
    stub.add_response("get_metric_data", answer(("TotalDPU", {29_000_000: 1.0}), more="more"), ANY_REQUEST)
    stub.add_response(
        "get_metric_data", answer(("TotalDPU", {29_000_001: 2.0})), asked("ClusterId", NextToken="more")
    )

    _, values = read_metrics(client, "abc", NAMES, MINUTES)

    assert values == {"TotalDPU": {29_000_000: 1.0, 29_000_001: 2.0}}


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
    """The line says how to fix it. It does not repeat AWS's message, which names accounts and roles."""
    stub.add_client_error("get_metric_data", code, "User arn:aws:iam::111122223333:user/x is not authorized")

    with pytest.raises(NoMetricsError, match=says) as caught:
        read_metrics(client, "abc", NAMES, MINUTES)

    assert "111122223333" not in str(caught.value)


def test_a_forbidden_metric_is_a_refusal(client: Any, stub: Stubber) -> None:
    """CloudWatch can also refuse a metric by the status in its answer."""
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
def test_an_error_before_any_answer(error: Exception, says: str) -> None:
    """There are no credentials, or there is no network."""

    class Client:
        def get_metric_data(self, **_: Any) -> None:
            raise error

    with pytest.raises(NoMetricsError, match=says):
        read_metrics(Client(), "abc", NAMES, MINUTES)


def test_an_unknown_profile_is_reported_when_the_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request is sent."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(NoMetricsError, match="ProfileNotFound"):
        cloudwatch.make_client("us-east-1")
