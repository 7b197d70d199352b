"""The shop's products: the only package that knows the shop's product model."""
