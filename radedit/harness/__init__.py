"""Scenario, generation of stress sets, evaluation, statistics."""
