"""Attempts of a transaction: the loop that makes them, their outcomes, records, retries and receipts."""
