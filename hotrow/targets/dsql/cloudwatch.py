"""Reads Aurora DSQL's metrics for a span of minutes from CloudWatch. Only this module knows its interface.

The namespace is AWS/AuroraDSQL, with one value per minute. AWS has documented two names for the dimension:
ClusterId is tried first, then ResourceId. Metrics arrive some minutes late.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hotrow.errors import TargetError
from hotrow.targets.dsql.aws import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAMESPACE = "AWS/AuroraDSQL"
DIMENSIONS = ("ClusterId", "ResourceId")
_PERIOD_S = 60
_MEDIANS = frozenset({"CommitLatency"})
"""Metrics that exist only as p50. For all others the sum is queried."""
_MAX_PAGES = 100
_DENIED = "CloudWatch denies access: allow cloudwatch:GetMetricData"


class NoMetricsError(TargetError):
    """CloudWatch cannot be queried, or refuses. The text has the reason and the fix."""


def make_client(region: str) -> Any:
    """A CloudWatch client for a region, with boto3's usual chain of credentials. Nothing is sent.

    Raises:
        NoMetricsError: the AWS profile does not exist.
    """
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - slow to import, and only here

    try:
        return open_session().client("cloudwatch", region_name=region)
    except (BotoCoreError, OSError, ValueError) as error:
        raise NoMetricsError(_reason(error)) from None


def read_metrics(
    client: Any, cluster: str, names: Sequence[str], minutes: range
) -> tuple[str | None, dict[str, dict[int, float]]]:
    """The dimension that has metrics, and the values of each metric by minute since the epoch.

    Returns (None, {}) if CloudWatch has no metrics for this cluster and these minutes: they have not arrived
    yet, or have another name. A metric without values is left out.

    Raises:
        NoMetricsError: there are no credentials or no permission, or CloudWatch was not reached.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import

    try:
        for dimension in DIMENSIONS:
            metrics = _read(client, [_query(name, dimension, cluster) for name in names], minutes)
            if metrics:
                return dimension, metrics
    except (BotoCoreError, ClientError, OSError) as error:
        raise NoMetricsError(_reason(error)) from None
    return None, {}


def _query(name: str, dimension: str, cluster: str) -> dict[str, Any]:
    return {
        "Id": f"m_{name.lower()}",
        "Label": name,
        "MetricStat": {
            "Metric": {
                "Namespace": NAMESPACE,
                "MetricName": name,
                "Dimensions": [{"Name": dimension, "Value": cluster}],
            },
            "Period": _PERIOD_S,
            "Stat": "p50" if name in _MEDIANS else "Sum",
        },
    }


def _read(client: Any, queries: list[dict[str, Any]], minutes: range) -> dict[str, dict[int, float]]:
    metrics: dict[str, dict[int, float]] = {}
    for page in _pages(client, queries, minutes):
        for result in page["MetricDataResults"]:
            if result.get("StatusCode") == "Forbidden":
                raise NoMetricsError(_DENIED)
            values = zip(result["Timestamps"], result["Values"], strict=True)
            series = {int(instant.timestamp()) // _PERIOD_S: float(value) for instant, value in values}
            if series:
                metrics.setdefault(result["Label"], {}).update(series)
    return metrics


def _pages(client: Any, queries: list[dict[str, Any]], minutes: range) -> Iterator[dict[str, Any]]:
    token: dict[str, str] = {}
    for _ in range(_MAX_PAGES):
        page = client.get_metric_data(
            MetricDataQueries=queries,
            StartTime=datetime.fromtimestamp(minutes.start * _PERIOD_S, UTC),
            EndTime=datetime.fromtimestamp(minutes.stop * _PERIOD_S, UTC),
            ScanBy="TimestampAscending",
            **token,
        )
        yield page
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _reason(error: Exception) -> str:
    """The reason and the fix in one line, without AWS's own text, which contains account numbers."""
    response = getattr(error, "response", None) or {}
    code = str(response.get("Error", {}).get("Code", ""))
    if "AccessDenied" in code or "NotAuthorized" in code:
        return _DENIED
    if code:
        return f"CloudWatch returned {code}: check the AWS credentials"
    error_name = type(error).__name__
    if any(word in error_name for word in ("Credential", "Profile", "Token", "SSO")):
        return f"there are no AWS credentials for CloudWatch ({error_name})"
    return f"CloudWatch was not reached ({error_name})"
