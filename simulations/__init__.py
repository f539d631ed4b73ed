"""The same planner against a simulated cluster on a virtual clock."""
