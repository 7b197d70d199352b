"""May we, for how long, forget me."""
