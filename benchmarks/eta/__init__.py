"""How true it is when jobs are told to start: what is said of everybody who waits, beside what comes."""
