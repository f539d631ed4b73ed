"""Everything goes wrong at once, by seed: what a control plane promises holds all the same."""
