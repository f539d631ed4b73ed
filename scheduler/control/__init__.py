"""The control loop without vendors: observe, decide, record, act."""
