"""The composition root: puts control planes together from a configuration."""
