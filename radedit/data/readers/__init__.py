"""Readers: one file a data set; each yields records and loads their samples."""
