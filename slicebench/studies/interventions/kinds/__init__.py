"""Interventions, one per module, and the retrieval that some of them share."""
