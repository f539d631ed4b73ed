"""Records and reports turned into the resources of the wire; pure, and the only place where seconds become dates."""
