"""Tests of hotrow/doctor."""
