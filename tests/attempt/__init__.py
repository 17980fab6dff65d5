"""Tests of hotrow/attempt."""
