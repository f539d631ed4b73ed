"""What acts on a cluster beside Headroom: scheduler, kubelets, controllers; all of them clients of the API."""
