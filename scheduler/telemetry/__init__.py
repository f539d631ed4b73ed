"""Measurements in and out: traffic from Prometheus or files, metrics for Prometheus."""
