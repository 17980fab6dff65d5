"""hotrow: what happens to transactions when they meet on the same rows."""
