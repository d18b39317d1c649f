"""Every name below a run's `.guild`, on one page (`docs/run-directory.md`). No other room spells them.

Guild 0.9 knows all of them but LEASE, ORDER, RECIPE, STEPS and RESOLVING, which it ignores.
"""

FORMAT = 1  # of the files that are ours

GUILD_DIR = ".guild"
ATTRS = "attrs"
OPREF = "opref"
ENV = "ENV"
MANIFEST = "manifest"
SOURCECODE = "sourcecode"  # where Guild up to 0.8 put source code
OUTPUT = "output"
OUTPUT_INDEX = "output.index"
EVENTS_PREFIX = "events.out.tfevents."
EVENTS_MARK = ".tfevents."  # what the name of any event file holds
PROTO = (
    "proto"  # of a batch, the run that its trials are copies of; an empty one keeps a queue out of compare
)
STEPS = "steps"  # of a workflow, its steps in the making
RESOLVING = "resolving"  # dependencies, until they are moved in place

# Markers: their presence is the status (`status.py`); written by `lifecycle.py` only.
PENDING = "PENDING"
STAGED = "STAGED"
LOCK = "LOCK"
LOCK_REMOTE = "LOCK.remote"
LEASE = "lease.json"
ORDER = "order.json"

RECIPE = "recipe.json"
SUPERVISOR_LOG = "supervisor.log"

# Attributes that tell the course of a run; written by `lifecycle.py` only.
STARTED = "started"
STOPPED = "stopped"
EXIT_STATUS = "exit_status"
REASON = "_reason"
