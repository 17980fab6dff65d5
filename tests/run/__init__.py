"""Tests of hotrow/run."""
