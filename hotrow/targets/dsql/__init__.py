"""Aurora DSQL as a target: clusters, tokens, and the rate of new connections."""
