"""A causal world of drawn chest radiographs, in which every counterfactual is known."""
