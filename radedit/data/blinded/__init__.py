"""Images for a product that is a black box: blinded files, and the key to them."""
