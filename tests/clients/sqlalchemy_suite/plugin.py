"""A pytest plugin for SQLAlchemy's suite: it gives the token, and skips the tests that are left out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from left_out import LEFT_OUT
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.testing.plugin import pytestplugin
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: F403 - this makes pytest SQLAlchemy's

if TYPE_CHECKING:
    from collections.abc import Sequence


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Skip what is left out; a reason that fits no test is an error."""
    pytestplugin.pytest_collection_modifyitems(session, config, items)
    used = set()
    for item in items:
        for name, reason in LEFT_OUT.items():
            if _is_called(item, name.split(".")):
                item.add_marker(pytest.mark.skip(reason=f"left out: {reason}"))
                used.add(name)
    if not config.option.keyword and used != set(LEFT_OUT):
        raise pytest.UsageError(f"no test is called {sorted(set(LEFT_OUT) - used)}")


def _is_called(item: pytest.Item, name: Sequence[str]) -> bool:
    """Whether a test has this name: its class, or its class and its function."""
    of_class = item.nodeid.split("::")[-2].split("_auroradsql")[0]
    of_function = getattr(item, "originalname", item.name)
    return [of_class, of_function][: len(name)] == list(name)


@event.listens_for(Engine, "do_connect")
def _give_token(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
    parameters["password"] = os.environ["HOTROW_TOKEN"]
