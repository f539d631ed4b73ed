"""How well and how fast placements are packed: peers from the literature and the default policy, side by side."""
