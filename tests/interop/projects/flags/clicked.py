import click


@click.command()
@click.option("--count", default=1, help="Number of greetings.")
@click.option("--name", default="you")
@click.option("--loud/--quiet", default=False)
@click.option("--mode", type=click.Choice(["a", "b"]), default="a")
def hello(count, name, loud, mode):
    print(count, name, loud, mode)


if __name__ == "__main__":
    hello()
