"""Whom to stop when more counts than the cost of each: guarantees of queues, and what a stop leads to."""
