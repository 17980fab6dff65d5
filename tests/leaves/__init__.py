"""Tests of the modules that know no other: numbers, JSON lines, console, exit codes."""
