"""From what the cluster shows and the store knows to the planner's view, with what was learned of the past."""
