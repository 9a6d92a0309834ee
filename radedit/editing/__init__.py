"""Editors, inversion and the editing score. Knows tensors, masks, a schedule and `f_theta` only."""
