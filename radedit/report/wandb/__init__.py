"""Stress tests in Weights & Biases: what is logged, and a dashboard."""
