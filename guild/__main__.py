"""`python -m guild`: the `guild` command without its console script."""

from guild.cli import main

if __name__ == "__main__":
    main()
