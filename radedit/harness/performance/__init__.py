"""How good a classifier is where it is used on its curve, before the shift and after it."""
