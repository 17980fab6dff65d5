"""Databases that hotrow can drive."""
