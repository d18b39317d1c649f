"""Faults, made on purpose: kills at random moments, full disks, clocks that jump, damaged files."""
