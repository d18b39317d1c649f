import argparse

from pkg.sub import extra

p = argparse.ArgumentParser()
p.add_argument("verb")
p.add_argument("--x", type=int, default=1)
p.add_argument("--lr", type=float, default=0.1)
print(p.parse_args(), extra.NAME)
