"""Tests of hotrow/scenario."""
