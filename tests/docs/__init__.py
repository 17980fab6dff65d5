"""Tests that run the commands and examples of docs/."""
