"""Clusters that Headroom can drive; the only rooms that import a vendor's library."""
