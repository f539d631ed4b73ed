"""The resources of the HTTP API, shared by server, SDK and command line; `-o json` prints exactly these."""
