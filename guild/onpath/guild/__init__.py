"""The `guild` package as a job sees it, when Guild is put on the job's PYTHONPATH.

The directory above this one holds this package and nothing else, so it cannot shadow anything the
user's own interpreter has (site-packages would). Submodules are those of the real package.
Python 3.8 syntax, standard library only.
"""

import os

_real = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
__path__ = [_real]
with open(os.path.join(_real, "__init__.py")) as _f:
    exec(compile(_f.read(), _f.name, "exec"))
