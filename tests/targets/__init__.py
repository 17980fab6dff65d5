"""Tests of hotrow/targets."""
