"""A close look at the captions of one method on one problem."""
