"""What can be typed? One file, one command: parse, call, print."""
