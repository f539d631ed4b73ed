"""Headroom: a capacity-aware scheduler for bare-metal ML clusters."""
