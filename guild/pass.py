"""`main: guild.pass`: an operation that does nothing but print its arguments, if it has any."""

import sys

if sys.argv[1:]:
    print(" ".join(sys.argv[1:]))
