import os

for root, dirs, names in os.walk(".", followlinks=True):
    dirs[:] = [d for d in sorted(dirs) if d != ".guild"]
    for name in sorted(names):
        path = os.path.join(root, name)
        print(path, os.path.islink(path), os.path.getsize(path))
