"""`hotrow doctor`: whether a target can be reached, may be used, and behaves as a run expects it to."""
