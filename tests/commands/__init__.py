"""Tests of hotrow/commands."""
