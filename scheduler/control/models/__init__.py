"""Models that are deployed while the control plane runs: which are served, and how a revision takes over."""
