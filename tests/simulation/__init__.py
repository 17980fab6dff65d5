"""Tests of hotrow/simulation."""
