"""Helpers of the tests: fakes, oracles, samples, and commands started as a user starts them."""
