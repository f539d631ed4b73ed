"""Why what waits waits, in words and in fields."""
