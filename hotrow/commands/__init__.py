"""The `hotrow` command: one file per command, all of them thin."""
