"""How fast the planner decides: a large site at work, one change a cycle, and the cost as the site grows."""
