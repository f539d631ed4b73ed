"""Files of this world: tables, times, numbers and durations as people write them; refused, never guessed."""
