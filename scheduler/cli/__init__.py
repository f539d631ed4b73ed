"""The `headroom` command; the composition root."""
