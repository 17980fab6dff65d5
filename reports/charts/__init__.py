"""Charts as values; no drawing library is known here."""
