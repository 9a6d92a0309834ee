"""Reader study."""
