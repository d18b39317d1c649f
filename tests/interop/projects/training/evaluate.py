with open("input/model.txt") as model:
    print(f"score: {len(model.read())}")
