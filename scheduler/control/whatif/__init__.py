"""Questions answered with the planner on a copy of the last snapshot."""
