import sys
from pathlib import Path

print(sys.argv[1:])
for path in sorted(Path().glob("conf.*")):
    print(path, path.read_text().strip())
