"""From rows to an HTML report, figures and W&B."""
