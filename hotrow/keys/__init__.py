"""The choice of a transaction's keys: skews, and the distributions of which they are made."""

MAX_KEYS = 0xFFFF_FFFF
"""The largest number of keys. Key ids 0 .. MAX_KEYS - 1 fit into four bytes, with one value left."""
