"""The endpoint: lets any client reach the stand-in as it would reach Aurora DSQL, by TLS and IAM token."""
