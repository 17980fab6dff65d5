"""`hotrow probe`: interleavings of sessions as data, played on any target and compared with Aurora DSQL."""
