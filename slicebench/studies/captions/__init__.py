"""Inspect the captions of one method on one problem."""
