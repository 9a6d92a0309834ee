"""Versions of a model, reported: tables, JUnit, and a history over runs."""
