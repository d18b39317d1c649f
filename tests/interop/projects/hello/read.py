from pathlib import Path

print(Path("data.txt").read_text())
