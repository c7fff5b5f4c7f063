"""Classical denoisers, used as baselines: numpy and scipy only."""
