"""The commands of the studies: controls, sweeps, captions, sparse layers and interventions."""
