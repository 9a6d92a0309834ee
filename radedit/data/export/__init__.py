"""Stress sets in formats of other tools."""
