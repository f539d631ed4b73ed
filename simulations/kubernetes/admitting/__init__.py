"""What looks at objects before they are stored: defaults from elsewhere, quotas, limits, pod security, policies."""
