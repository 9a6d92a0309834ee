"""Chexmask."""
