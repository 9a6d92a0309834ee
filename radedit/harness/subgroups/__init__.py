"""For whom a model fails: the shift effect in groups of patients and images."""
