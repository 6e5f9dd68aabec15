"""Accounts with entries in cents."""
