"""SQLAlchemy's own tests of a dialect. This runs in the environment of the clients, not in the project's."""

from sqlalchemy.testing.suite import *  # noqa: F403 - the tests
