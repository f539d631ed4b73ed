"""Which host is best for one more unit of a shape, by what of its room is lost to the work to come."""
