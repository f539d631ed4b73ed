"""Stops after which a job goes on: shrinking, growing, moving; sparing, and what ends whatever the room."""
