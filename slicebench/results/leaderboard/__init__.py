"""The committed leaderboard: compact records and rankings of a suite, and the files generated from them."""
