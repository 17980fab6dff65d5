"""The tap: a relay through which any program reaches a database, and which records every transaction."""
