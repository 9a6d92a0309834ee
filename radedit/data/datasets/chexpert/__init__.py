"""Chexpert."""
