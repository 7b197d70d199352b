"""Consent, pseudonyms, retention, export and erasure."""
