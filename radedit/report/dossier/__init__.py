"""The file for a regulator: everything that a finished stress test can answer, and what it cannot."""
