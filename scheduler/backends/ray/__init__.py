"""Ray: hosts from its nodes, gangs as placement groups with jobs, replicas as Serve applications."""
