"""Runs whose processes, server, disk and clock fail, each with the expected result."""
