"""The Kubernetes backend: training by suspend, gate and pin; serving by scale; all that runs there seen by watches."""
