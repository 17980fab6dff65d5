"""The tables of a run: created, filled, read for checks, rehearsed on and dropped."""
