"""Tests of hotrow/script."""
