"""Versions of a model on the same stress set: is the new one worse than the one before?"""
