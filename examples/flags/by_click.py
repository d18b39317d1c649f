import click


@click.command()
@click.option("--lr", default=0.1)
@click.option("--verbose/--quiet", default=False)
def main(lr, verbose):
    print("lr=%s verbose=%s" % (lr, verbose))


main()
