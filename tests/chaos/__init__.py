"""Runs whose processes, server, disk and clock fail, each beside what has to come of it."""
