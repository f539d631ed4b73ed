"""Pure decisions: from a snapshot, a demand and a policy to a plan."""
