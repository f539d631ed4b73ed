"""The running control plane's state played on: as it is, and as it would be."""
