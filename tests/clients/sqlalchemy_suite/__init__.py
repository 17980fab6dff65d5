"""SQLAlchemy's compliance suite for dialects, run with AWS's dialect on the endpoint."""
