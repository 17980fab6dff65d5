"""The settings of the stand-in's PostgreSQL: files that are written at each start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "hotrow.conf"
"""The name of the settings file in the data directory. postgresql.conf includes it."""

MAX_CONNECTIONS = 1100
"""1,000 users, and some more for reseeding, checks and observers."""

_SETTINGS = f"""\
# Written by hotrow at each start; changes here are lost. Use ALTER SYSTEM for your own.
listen_addresses = ''
port = 5432
unix_socket_permissions = 0700
cluster_name = 'hotrow'
max_connections = {MAX_CONNECTIONS}

# A COMMIT that was acknowledged is on disk, as it is in Aurora DSQL. A crash in the middle of a run must not
# look like lost updates to the scenario's check, and goodput must be comparable with other servers' defaults.
# `SET synchronous_commit = off` removes the disk from the measurements of one session; `local up --no-fsync`
# removes it from all measurements.
synchronous_commit = on
full_page_writes = on
default_transaction_isolation = 'repeatable read'
restart_after_crash = on

# Memory and disk of a laptop. Checkpoints are rare, so that they do not affect the latency of a short cell.
shared_buffers = 256MB
wal_level = minimal
max_wal_senders = 0
min_wal_size = 256MB
max_wal_size = 2GB
checkpoint_timeout = 30min
checkpoint_completion_target = 0.9

# Hot rows leave many dead versions: vacuum often. Plans must not depend on how many cores are free.
autovacuum = on
autovacuum_naptime = 10s
jit = off
max_parallel_workers_per_gather = 0

# Parameters that only Aurora DSQL has. They may be set, and change nothing.
dsql.disable_sync_create_index = on
dsql.enable_batched_nestloop = on

# DSQL has no deadlocks. Crossed writes at COMMIT wait this long until one of them gets the conflict.
deadlock_timeout = 10ms

# Conflicts are the data of a run. The log leaves out ERROR, because it would grow by one line per conflict.
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
"""The line of a settings file that tells the next start that some data may not be on disk."""


def settings(socket_folder: Path, *, fsync: bool = True) -> str:
    """The text of the settings file for a server that listens only in `socket_folder`."""
    inner = str(socket_folder).replace('"', '""')
    quoted = f'"{inner}"'.replace("\\", "\\\\").replace("'", "''")
    return f"{_SETTINGS}unix_socket_directories = '{quoted}'\n" + ("fsync = on\n" if fsync else FSYNC_OFF)


_NOTE = "# Written by hotrow at each start; changes here are lost.\n"
_MAP = "hotrow"
_ANY_ROLE_SINCE = 16
"""The first major version that accepts `all` for a role in a map."""
_ROLES = ("postgres", "admin")
"""hotrow's own roles, for older versions."""


def admission(caller: str | None, major: int) -> dict[str, str]:
    """The texts of the files that define who may connect, by their names in the data directory.

    Args:
        caller: the name of the only account that may connect. None if the server runs as the caller's
            account: then the permissions of the socket's folder keep everybody else out.
        major: the server's major version.
    """
    method = "trust" if caller is None else f"peer map={_MAP}"
    roles = ("all",) if major >= _ANY_ROLE_SINCE else _ROLES
    entries = "" if caller is None else "".join(f'{_MAP} "{caller}" {role}\n' for role in roles)
    return {"pg_hba.conf": f"{_NOTE}local all all {method}\n", "pg_ident.conf": f"{_NOTE}{entries}"}
