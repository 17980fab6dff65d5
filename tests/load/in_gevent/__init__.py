"""Tests of hotrow/load in a process that Locust has patched; tests/load/test_in_gevent.py runs them there."""
