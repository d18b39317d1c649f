print("in src")
