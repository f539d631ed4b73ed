"""The demo on Kubernetes, for whoever has no cluster: on a double of the API, with nobody's real pods."""
