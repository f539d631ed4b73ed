"""What `headroom bench` measures: packing, preemption, queueing and speed, each against the best known peers."""
