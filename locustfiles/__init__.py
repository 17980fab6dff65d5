"""Locustfiles: pick a scenario, done."""
