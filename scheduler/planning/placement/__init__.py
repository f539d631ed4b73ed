"""Where things fit: the room of a plan, what needs it, hosts near each other, and when room comes free."""
