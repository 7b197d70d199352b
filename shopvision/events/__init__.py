"""Behaviour events of visitors, recorded with consent."""
