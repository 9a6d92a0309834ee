"""Users' own models as predictors, one file a format."""
