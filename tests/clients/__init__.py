"""AWS's public connectors on the endpoint."""
