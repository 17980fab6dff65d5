"""Tests of hotrow/load."""
