"""What keeps a state directory and a store in order: pruning, retention, and what a crash has left."""
