"""The commands, one module each: each parses its options, calls the library and prints."""
