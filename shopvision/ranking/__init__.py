"""profile -> candidates -> features -> ranker: which of a shop's products somebody wants next."""
