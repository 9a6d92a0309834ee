"""Masks as other tools write them."""
