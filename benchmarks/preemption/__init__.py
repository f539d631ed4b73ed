"""Whom preemption stops, beside the exact optimum and other ways of choosing."""
