"""Words and numbers: sentences, verdicts, advice and tables. Pure."""
