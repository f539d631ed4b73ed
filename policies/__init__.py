"""Small pure functions that a site can choose from, one file a question."""
