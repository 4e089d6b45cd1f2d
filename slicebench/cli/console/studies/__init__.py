"""Output of the studies: sweeps, captions, sparse layers and interventions."""
