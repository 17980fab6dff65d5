"""Tests of hotrow/load in a process that Locust has patched; tests/test_in_gevent.py runs them there."""
