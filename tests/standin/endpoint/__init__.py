"""Tests of hotrow/standin/endpoint."""
