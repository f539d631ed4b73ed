"""Serving and training on one site: what a forecast gives, beside a partition, an autoscaler and the true future."""
