"""A shop as small as can be, for benchmarks over HTTP."""
