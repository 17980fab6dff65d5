"""The way from a ledger to summary.json. Nothing here imports locust or psycopg."""
