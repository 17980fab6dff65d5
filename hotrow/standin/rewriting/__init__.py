"""Rewrites SQL for the stand-in, whose tables are views. Pure: text in, text out."""
