"""Tests on a real embedded server."""
