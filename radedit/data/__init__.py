"""Records, images, transforms and Lightning data modules."""
