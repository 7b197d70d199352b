"""bytes -> pixels -> tensor. No Django, no torch."""
