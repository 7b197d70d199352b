"""Encoders: pixels -> named descriptor blocks -> embedding."""
