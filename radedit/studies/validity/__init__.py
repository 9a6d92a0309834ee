"""Validity."""
