"""What has been run? The sole owner of a run's `.guild` directory and of `runs/`."""
