from types import SimpleNamespace

ns = SimpleNamespace(p=1, q="r")
print(ns)
