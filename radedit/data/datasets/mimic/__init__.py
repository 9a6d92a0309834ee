"""Mimic."""
