"""Tests of the built-in scenarios, each on a server."""
