"""Tests of hotrow/probe."""
