"""Who may be stopped, and the cheapest of them for a need."""
