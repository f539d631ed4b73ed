"""The state machine of jobs and attempts: what is intended, what is asked of the cluster, and what is told of it."""
