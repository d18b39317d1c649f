"""Guild: run, stage, queue, track and compare experiments."""

__version__ = "0.10.0.dev0"
