"""One attempt of a transaction: its record, its outcome, its retries, and the loop that makes it."""
