"""The only package that knows the shop's product model."""
