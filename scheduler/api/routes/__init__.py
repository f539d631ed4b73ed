"""HTTP to the service and back, a module per thing asked about."""
