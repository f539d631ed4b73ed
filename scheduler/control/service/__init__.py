"""What people may ask of the control plane, what a site allows, and what they send along."""
