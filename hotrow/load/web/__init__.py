"""Locust's web page as hotrow serves it: protected, with a checked start form."""
