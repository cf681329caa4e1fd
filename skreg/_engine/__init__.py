"""Training: compiled programs, the jobs that they run, and their hyperparameters."""
