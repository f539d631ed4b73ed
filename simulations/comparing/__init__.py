"""Outcomes of `headroom simulate` side by side: what differs, by how much, and one page that shows it."""
