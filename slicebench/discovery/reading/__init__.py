"""Turn a user's table into examples: their vectors, outcomes, folds, and the columns that rules are made of."""
