"""Tests of hotrow/keys."""
