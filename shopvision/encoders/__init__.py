"""pixels -> vectors, labels, maps. torch only here, never imported by the web process."""
