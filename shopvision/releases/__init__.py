"""Storage and shared columns of trained releases."""
