from types import SimpleNamespace

params = {"lr": 0.1, "net": {"width": 8}}
space = SimpleNamespace(lr=0.1, width=8)
print(params, space)
