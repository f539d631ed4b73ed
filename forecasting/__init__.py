"""Forecasts of traffic peaks as distributions over sample paths; knows nothing of clusters."""
