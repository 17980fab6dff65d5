"""Tests of whole runs, from the command line to the exit code."""
