"""Waiting jobs in queue order: what starts, what is reserved, who is preempted, what is booked."""
