"""The stand-in: a real PostgreSQL whose conflicts come at COMMIT."""
