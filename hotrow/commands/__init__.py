"""The `hotrow` command: one short file per command."""
