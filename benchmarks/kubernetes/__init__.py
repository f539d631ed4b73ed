"""How Headroom does on a large Kubernetes cluster: memory, start-up, and from an event to the patch that answers it."""
