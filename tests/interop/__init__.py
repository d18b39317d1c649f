"""Beside Guild 0.9: the published release, as a black box, on the same home as ours."""
