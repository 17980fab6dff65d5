"""The chaos suite: runs during which processes, server, disk or clock fail, each with its expected result."""
