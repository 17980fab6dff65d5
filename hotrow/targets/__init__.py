"""Connecting to the databases that hotrow can put under load."""
