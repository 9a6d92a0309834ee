"""Stress-testing chest X-ray models by diffusion image editing (RadEdit)."""

__version__ = "0.1.0"
