"""One lifecycle for everything trained: storage, candidate, gate, live, retired."""
