"""Tests of hotrow/standin."""
