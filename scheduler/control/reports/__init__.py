"""What the loop shows to whoever asks: one immutable report a turn, and the history that is drawn from it."""
