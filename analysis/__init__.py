"""From a ledger to summary.json; never imports locust or psycopg."""
