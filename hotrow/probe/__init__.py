"""`hotrow probe`: runs interleavings of sessions on any target and compares its answers with Aurora DSQL."""
