"""The tables of a run: made, seeded, observed, rehearsed on and dropped."""
