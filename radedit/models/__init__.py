"""Networks: the generator bundle, its encoders, and the predictors under test."""
