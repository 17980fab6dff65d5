"""A run as data: its plan, its ledger and its directory. Knows neither Locust nor a database."""
