"""From when on a waiting job may run, by what is expected of running jobs and of serving."""
