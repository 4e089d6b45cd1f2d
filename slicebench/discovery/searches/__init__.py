"""Look for slices: rules on columns, regions of the vectors, and the slices of registered methods.

A search proposes candidates for every fold without that fold's outcomes. `methods` chooses and runs searches.
"""
