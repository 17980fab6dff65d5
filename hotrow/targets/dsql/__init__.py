"""Aurora DSQL as a target: its host's spelling, its tokens, and the pace at which connections are opened."""
