"""What must survive a crash: jobs, attempts, hosts' states, events and the journal of plans."""
