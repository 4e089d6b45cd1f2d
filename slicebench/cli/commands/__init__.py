"""The commands, one module each: they parse what was typed, call, and print."""
