"""What fails is cut off by name, and what takes long runs beside the loop: everything else goes on."""
