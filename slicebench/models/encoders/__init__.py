"""Encoders, one per module, and what they share."""
