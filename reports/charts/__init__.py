"""Charts as values, independent of any drawing library."""
