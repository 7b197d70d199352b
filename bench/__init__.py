"""Benchmarks: each a command that prints JSON."""
