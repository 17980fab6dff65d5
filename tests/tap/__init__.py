"""Tests of hotrow/tap."""
