"""Which keys a transaction takes: skews, and the distributions that they are made of."""

MAX_KEYS = 0xFFFF_FFFF
"""The most keys of a run. Key ids are 0 .. MAX_KEYS - 1: they fit four bytes, with one value to spare."""
