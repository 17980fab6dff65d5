"""The commands and examples of docs/ are run."""
