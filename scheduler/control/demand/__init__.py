"""From traffic to the replicas that every model needs, with what is said of sources and forecasts."""
