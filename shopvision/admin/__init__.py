"""One file per page group."""
