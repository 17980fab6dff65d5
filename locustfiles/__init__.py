"""Locustfiles: one per built-in scenario, and one for sweeps."""
