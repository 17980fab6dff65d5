"""Aurora DSQL's metrics of a span of minutes, from CloudWatch. The only module that knows its interface.

Namespace AWS/AuroraDSQL, one value a minute. The dimension's name has been documented in two ways: ClusterId
is tried first, then ResourceId. Metrics arrive some minutes late.
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
"""Metrics of which there is p50 only; of all others, the sum is asked for."""
_MAX_PAGES = 100
_DENIED = "CloudWatch denies access: allow cloudwatch:GetMetricData"


class NoMetricsError(TargetError):
    """CloudWatch cannot be asked, or refuses; the text says why and what would help."""


def make_client(region: str) -> Any:
    """A CloudWatch client of a region, from boto3's usual chain of credentials; nothing is sent yet.

    Raises:
        NoMetricsError: there is no such profile.
    """
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - slow to import, and only here

    try:
        return open_session().client("cloudwatch", region_name=region)
    except (BotoCoreError, OSError, ValueError) as error:
        raise NoMetricsError(_reason(error)) from None


def read_metrics(
    client: Any, cluster: str, names: Sequence[str], minutes: range
) -> tuple[str | None, dict[str, dict[int, float]]]:
    """The dimension under which there was something, and each metric's values by minute since the epoch.

    (None, {}) where CloudWatch has nothing of this cluster and these minutes: not there yet, or another name.
    A metric of which there is nothing is left out.

    Raises:
        NoMetricsError: no credentials, no permission, or not reached.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import

    try:
        for dimension in DIMENSIONS:
            found = _read(client, [_query(name, dimension, cluster) for name in names], minutes)
            if found:
                return dimension, found
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
    found: dict[str, dict[int, float]] = {}
    for page in _pages(client, queries, minutes):
        for result in page["MetricDataResults"]:
            if result.get("StatusCode") == "Forbidden":
                raise NoMetricsError(_DENIED)
            values = zip(result["Timestamps"], result["Values"], strict=True)
            series = {int(instant.timestamp()) // _PERIOD_S: float(value) for instant, value in values}
            if series:
                found.setdefault(result["Label"], {}).update(series)
    return found


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
    """One line: what stands in the way, and what would help. AWS's own words name accounts: left out."""
    response = getattr(error, "response", None) or {}
    code = str(response.get("Error", {}).get("Code", ""))
    if "AccessDenied" in code or "NotAuthorized" in code:
        return _DENIED
    if code:
        return f"CloudWatch answers {code}: check the AWS credentials"
    kind = type(error).__name__
    if "Credential" in kind or "Profile" in kind or "Token" in kind or "SSO" in kind:
        return f"there are no AWS credentials to ask CloudWatch with ({kind})"
    return f"CloudWatch was not reached ({kind})"
