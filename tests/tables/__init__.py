"""Tests of hotrow/tables."""
