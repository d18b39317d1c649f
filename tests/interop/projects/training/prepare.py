import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--rows", type=int, default=3, help="Rows to make")
parser.add_argument("--kind", choices=["a", "b"], default="a")
args = parser.parse_args()
with open("data.csv", "w") as out:
    for row in range(args.rows):
        out.write(f"{row},{args.kind}\n")
print(f"rows: {args.rows}")
