"""The committed leaderboard: compact records and rankings of a suite, and what is generated from them."""
