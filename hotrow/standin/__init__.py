"""The stand-in for Aurora DSQL: a local PostgreSQL that detects conflicts at COMMIT."""
