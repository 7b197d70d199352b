"""Ranking: visitor profile -> candidates -> features -> ranker -> order."""
