"""AWS that does not answer: signing a token or reading metrics fails after a short time with one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotrow.errors import TargetError
from hotrow.targets.dsql.cloudwatch import NoMetricsError, make_client, read_metrics
from hotrow.targets.target import parse_target
from tests.support.fake_server import serving

if TYPE_CHECKING:
    from pathlib import Path

PROFILES = """
[profile assumed]
role_arn = arn:aws:iam::123456789012:role/measuring
source_profile = base
region = us-east-1

[profile base]
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = secretexample

[profile absent]
credential_process = /nowhere/credentials
region = us-east-1
"""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """AWS profiles for the test, and short time limits."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "config"
    config.write_text(PROFILES)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setattr("hotrow.targets.dsql.aws.TIMEOUT_S", 0.2)
    monkeypatch.setattr("hotrow.targets.dsql.aws.MAX_TRIES", 1)


@pytest.mark.parametrize("profile", ["assumed", "absent"])
def test_no_token(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service for the role's credentials never answers, or the credential program does not exist."""
    (connector,) = parse_target("dsql://abc.dsql.us-east-1.on.aws").connectors
    monkeypatch.setenv("AWS_PROFILE", profile)
    with serving(lambda talk: talk.stay_silent()) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://{url.partition('@')[2].partition('/')[0]}")
        with pytest.raises(TargetError, match="no token for") as caught:
            connector.prepare()

    assert str(caught.value).isprintable()


def test_no_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudWatch accepts the request and does not answer."""
    monkeypatch.setenv("AWS_PROFILE", "base")
    with serving(lambda talk: talk.stay_silent()) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", f"http://{url.partition('@')[2].partition('/')[0]}")
        with pytest.raises(NoMetricsError, match="not reached"):
            read_metrics(make_client("us-east-1"), "abc", ["TotalDPU"], range(1, 3))
