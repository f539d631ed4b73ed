"""HTTP to the desk and back, a module per thing asked about."""
