"""Sweeps: several runs of one question put together, of several seeds, additions or editors."""
