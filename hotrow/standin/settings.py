"""How the stand-in's PostgreSQL is set up: a file that postgresql.conf includes, written at each start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "hotrow.conf"
"""Its name in the data directory."""

CONNECTIONS_MAX = 1100
"""1,000 users, and room for reseeding, checks and people who look on."""

_SETTINGS = f"""\
# Written by hotrow at each start; changes here are lost. Use ALTER SYSTEM for your own.
listen_addresses = ''
port = 5432
unix_socket_permissions = 0700
cluster_name = 'hotrow'
max_connections = {CONNECTIONS_MAX}

# A COMMIT that was acknowledged is on disk, as it is in Aurora DSQL: a crash in the middle of a run must not
# look like lost updates to the scenario's check, and goodput must compare with any other server's default.
# `SET synchronous_commit = off` in a session takes the disk out of a measurement; `local up --no-fsync` out
# of all.
synchronous_commit = on
full_page_writes = on
default_transaction_isolation = 'repeatable read'
restart_after_crash = on

# Memory and disk of a laptop; checkpoints rare, so that they do not show in the latency of a short cell.
shared_buffers = 256MB
wal_level = minimal
max_wal_senders = 0
min_wal_size = 256MB
max_wal_size = 2GB
checkpoint_timeout = 30min
checkpoint_completion_target = 0.9

# Hot rows die fast: look often. Plans must not depend on how many cores are free.
autovacuum = on
autovacuum_naptime = 10s
jit = off
max_parallel_workers_per_gather = 0

# DSQL has no deadlocks. Crossed writes at COMMIT wait this long before one of them is told of the conflict.
deadlock_timeout = 10ms

# Conflicts are the data of a run: the log leaves out ERROR, or it would grow by a line for each.
log_min_messages = log
log_min_error_statement = panic
log_checkpoints = off
log_autovacuum_min_duration = -1
log_line_prefix = '%m [%p] '
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'
"""


FSYNC_OFF = "fsync = off\n"
"""The line of a settings file by which the next start knows that not all of the data are on disk."""


def settings(socket_folder: Path, *, fsync: bool = True) -> str:
    """The text of the settings file for a server that listens in `socket_folder` and nowhere else."""
    inner = str(socket_folder).replace('"', '""')
    quoted = f'"{inner}"'.replace("\\", "\\\\").replace("'", "''")
    return f"{_SETTINGS}unix_socket_directories = '{quoted}'\n" + ("fsync = on\n" if fsync else FSYNC_OFF)


_NOTE = "# Written by hotrow at each start; changes here are lost.\n"
_MAP = "hotrow"
_ANY_ROLE_SINCE = 16
"""The major version that knows `all` for a role in a map."""
_ROLES = ("postgres", "admin")
"""The roles of hotrow's own, for the versions before."""


def admission(caller: str | None, major: int) -> dict[str, str]:
    """The texts of the files that say who may connect, by their names in the data directory.

    Args:
        caller: the name of the one account that may. None if the server's own account is the caller's: then
            the permissions of the socket's folder keep everybody else out.
        major: of the server.
    """
    method = "trust" if caller is None else f"peer map={_MAP}"
    roles = ("all",) if major >= _ANY_ROLE_SINCE else _ROLES
    admitted = "" if caller is None else "".join(f'{_MAP} "{caller}" {role}\n' for role in roles)
    return {"pg_hba.conf": f"{_NOTE}local all all {method}\n", "pg_ident.conf": f"{_NOTE}{admitted}"}
