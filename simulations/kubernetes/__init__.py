"""A double of the Kubernetes API and of the controllers that act on it, for tests and for a demo without a cluster."""
