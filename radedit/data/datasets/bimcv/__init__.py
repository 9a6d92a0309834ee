"""Bimcv."""
