"""Command lines of `guild run` that ours and Guild 0.9 are given in the same project, and what may differ.

A line says the same with both, and makes the same runs, unless it names what is meant to differ: the first
cell of a row in docs/COMPATIBILITY.md. What stays the same then is told by `Line.but`.
"""

from dataclasses import dataclass

WORDING = "Wording of messages, prompts and help; how they are broken into lines"


@dataclass(frozen=True)
class Line:
    """`args` as a shell reads them, and what is typed at the question. `meant`: rows of what differs.

    `but`: what differs then: `err`, `out`, `code`, `runs`.
    """

    args: str
    typed: str = ""
    meant: tuple[str, ...] = ()
    but: tuple[str, ...] = ()


def wording(args: str, typed: str = "") -> Line:
    """A line whose words on stderr are our own: stream, exit code and runs are as there."""
    return Line(args, typed, (WORDING,), ("err",))


def differs(args: str, row: str, *but: str, typed: str = "") -> Line:
    return Line(args, typed, (row,), but)


FILES = {
    "train.py": 'lr = 0.1\nn = 3\nname = "a"\nfast = True\nprint("loss: %f" % (lr * n))\n',
    "args.py": """\
import argparse
p = argparse.ArgumentParser()
p.add_argument("--depth", type=int, default=1, help="How deep")
p.add_argument("--rate", type=float, default=0.5)
p.add_argument("--loss", default="mse", choices=["mse", "mae"])
p.add_argument("--deep", action="store_true")
p.add_argument("--sizes", nargs="+", type=int, default=[1, 2])
print(p.parse_args())
""",
    "show.py": "import sys\nprint(sys.argv[1:])\n",
    "fail.py": "raise SystemExit(3)\n",
    "say.sh": "#!/bin/sh\necho said\n",
    "plain.txt": "no program\n",
    "trials.csv": "lr,n\n0.1,1\n0.2,2\n",
    "trials.json": '[{"lr": 0.5}, {"lr": 0.6, "n": 9}]\n',
    "trials.yml": "- lr: 0.1\n- n: 4\n",
    "out.txt": "loss: 1.5 (step 1)\n",
    "guild.yml": """\
- model: big
  description: A big model
  default: yes
  operations:
    train:
      description: Train it well
      main: train
      default: yes
      flags-import: all
      flags: {lr: {description: The rate}}
    fail: {main: fail}
    show:
      exec: ${python_exe} show.py ${flag_args}
      flags: {x: null}
    exe: {exec: '${python_exe} show.py'}
    tagged:
      main: train
      flags-import: [lr, n]
      label: 'n is ${n}, lr ${lr|%.2f}'
      tags: [one, two]
    typed:
      exec: ${python_exe} show.py ${flag_args}
      flags:
        st: {type: string, default: abc}
        it: {type: int, default: 3}
        ft: {type: float, default: 2.5}
        bo: {type: boolean, default: yes}
        ep: {type: existing-path}
        ch: {default: a, choices: [a, b, 3]}
        ot: {default: a, choices: [a, b], allow-other: yes}
        al:
          default: 1
          choices: [{value: 1, alias: one}, {value: 2, alias: two, flags: {k: 22}}]
        k: 1
        mi: {default: 5, min: 1, max: 10}
        re: {alias: rr, default: 1}
        nl: {null-label: unknown}
    arg:
      exec: ${python_exe} show.py ${flag_args}
      flags:
        a: {arg-name: A-name, default: 1}
        sk: {arg-skip: yes, default: 2}
        sw: {arg-switch: yes, default: no}
        sp: {arg-split: yes, default: a b}
        sc: {arg-split: ',', default: 'a,b'}
        en: {arg-encoding: {1: one, 2: two}, default: 1}
    needy:
      exec: ${python_exe} show.py ${flag_args}
      flags: {a: {required: yes}, b: {required: yes, description: The b}}
    steps:
      flags: {lr: 0.5}
      steps: ['train lr=${lr}', fail]
    _hidden: {main: train}
- model: small
  operations: {train: {main: train}}
- model: smaller
  operations: {train: {main: train}}
""",
}

# Texts for a flag without a type, all in one command.
_WORDS = r"""
1 -1 +1 1.0 1e3 1E3 1e-9 1.50 .5 5. 0x10 0b11 0o17 010 0777 1_000 1__0 0x_1 0_x 1:30 1:99 12:30:45 1:2.5 nan
NaN inf -inf +inf Infinity 1e400 1e16 1e15 100000000.0 0.1234567891234 1.0e+10 -0 -0.0 1e e1 1_0.5 ._1 1.2.3
123456789012345678901234567890 192.168.0.1 abcdef12 yes no YES on off true True FALSE y n null NULL ~ none
None = << == a=b a:b 1,2 , : 1] [1 {a {} /tmp ./p.py ~/d $HOME \n "a 'a it's don't+ %a @a !x *a _ __ a.b
"""
LITERALS = _WORDS.split()
SPACED = [
    "",
    "''",
    "'1'",
    '"1"',
    "a b",
    "it's me",
    'say "x" y',
    "a: b",
    "{a: 1}",
    "{a: 1, b: [1, 2]}",
    " a",
    "a ",
]

ROW_DATE = "A date as an argument of a program (`x=2020-01-01`)"
ROW_COMMENT = "Flag values such as `#a`, `a #b`, `&a`, `>`, `?` or blanks"
ROW_ASCII = "Flags and labels that are not ASCII, as they are written and shown"
ROW_EMPTY = "A flag with an empty list (`x=[]`)"
ROW_STAGE_TRIALS = "`--stage-trials` of what is no batch"
ROW_STAGE_TRIALS_SAID = "`--stage-trials`"
ROW_NEEDED = "`--needed`"
ROW_PRINT_ENV = "`--print-env`"
ROW_TEST_FLAGS = "`--test-flags`"
ROW_HELP_MODEL = "`--help-model`"
ROW_NO_OPTIMIZER = "`-O` where the operation names no optimizer"
ROW_STOP_AFTER = "`--stop-after` with less than nothing"
ROW_REMOTE = "`--remote`"
ROW_RANDOM = "Random search"
ROW_BATCH_OPS = "`guild run +`, `guild run random`"
ROW_SCALARS = "`--test-output-scalars`"
ROW_BOOLEAN = "A boolean flag"
ROW_TRIALS = "Trials of a batch"
ROW_DEP = "`--dep` to a path that is not there"

SETUP_LINES = (  # which operation is meant
    Line("run", "n\n"),
    Line("run :train", "n\n"),
    Line("run big:train", "n\n"),
    Line("run lr=3", "n\n"),
    Line("run ./train.py", "n\n"),
    Line("run _hidden", "n\n"),
    Line("run say.sh", "n\n"),
    Line("run sm:train"),
    Line("run small:nope"),
    Line("run nope:train"),
    Line("run big:"),
    wording("run x/y"),
    wording("run plain.txt"),
    differs("run +", ROW_BATCH_OPS, "err"),
)

ERRORS = (
    Line("run train foo bar"),
    wording("run train zzz=1"),
    wording("run train lr=x"),
    wording("run args.py sizes='1 x'"),
    wording("run args.py loss=x"),
    wording("run typed it=x"),
    wording("run typed ep=nope"),
    wording("run typed ch=4"),
    Line("run typed mi=0"),
    Line("run typed mi=[1,20]"),
    wording("run typed re=4 rr=5"),
    wording("run needy a=1 b=null"),
    differs("run typed bo=maybe -y", ROW_BOOLEAN, "out", "err", "code", "runs"),
    wording("run train @nope.csv"),
    wording("run train @plain.txt"),
    Line("run train --minimize a --maximize b"),
    Line("run train --gpus 0 --no-gpus"),
    Line("run train -O -o random"),
    Line("run train --print-trials --stage-trials"),
    Line("run --restart x train"),
    Line("run --restart x --run-dir d"),
    wording("run --start zzz"),
    Line("run train --max-trials 0"),
    Line("run train --labe x"),
    Line("run train -Fo a=1"),
    wording("run train --print-trials"),
    wording("run train lr=[1,2] --save-trials t.txt"),
    differs("run train --remote x", ROW_REMOTE, "err"),
    differs("run train --stop-after -1", ROW_STOP_AFTER, "err", "code"),
    differs("run train -D nope -y", ROW_DEP, "err", "runs"),
    differs("run train -O", ROW_NO_OPTIMIZER, "err"),
    wording("-C /nope run train"),
)

ASKED = (  # answered with no, so nothing is made
    Line("run train", "N\n"),
    Line("run train"),  # the input ends
    Line("run train @trials.csv", "n\n"),
    Line("run train @trials.yml n=[8,9]", "n\n"),
    Line("run train lr=[1,2] -m 1", "n\n"),
    Line("run train lr=uniform[0:1]", "n\n"),
    differs("run train lr=[1,2,3] -o random", ROW_RANDOM, "err", typed="n\n"),
    Line("run train --stage", "n\n"),
    Line("run train lr=[1,2] --stage-trials", "n\n"),
    Line("run typed al=two", "n\n"),
)

SHOWN = (  # nothing is made
    Line("run train lr=[1,2] --print-cmd"),
    Line("run args.py depth=2 deep=yes --print-cmd"),
    Line("run arg sw=yes sp='c d' en=2 --print-cmd"),
    Line("run train lr=[1,2,3,4] n=[1,2,3] --print-trials -m 5 --random-seed 7"),
    Line("run train lr=range[0:1:0.25] n=logspace[0:2:3] --print-trials"),
    Line("run train lr=linspace[0:1:3] n=[1,2]*2 --print-trials"),
    Line("run train @trials.json @trials.csv n=2 --print-trials"),
    Line("run train lr=[1,2] --save-trials made --random-seed 1"),
    differs("run train lr=[] --print-trials", ROW_EMPTY, "err", "code"),
    Line("run train --help-op"),
    Line("run steps -h"),
    Line("run exe --test-sourcecode"),
    Line("run say.sh --help-op"),
    differs("run --help-model", ROW_HELP_MODEL, "out"),
    differs("run train --test-flags", ROW_TEST_FLAGS, "out", "err"),
    differs("run train --test-output-scalars out.txt", ROW_SCALARS, "out"),
    differs("run exe --print-env", ROW_PRINT_ENV, "out"),
)

MADE = (  # in this order, the runs of all are compared
    Line("run train -y lr=1 n=[1,2] -t T --label 'X ${lr}' --batch-tag B --batch-label BL --keep-batch"),
    Line("run train -y --label 'a ${lr} ${n|%05d} ${nope|default:7} ${nope} ${default_label}'"),
    Line("run tagged -y -t three -c 'a comment'"),
    Line("run train lr=5", "\n"),
    Line("run train lr=6", "x\ny\n"),
    Line("run train lr=7 --stage -y"),
    differs("run train lr=[8,9] --stage-trials -y", ROW_STAGE_TRIALS_SAID, "out", "err"),
    differs("run train lr=10 --stage-trials -y", ROW_STAGE_TRIALS, "out", "err", "code", "runs"),
    Line("run train lr=5 --needed -y"),
    differs("run train lr=5 --needed", ROW_NEEDED, "out", "err", typed="n\n"),
    Line("run args.py -y sizes='3 4' deep=yes depth=7"),
    Line("run args.py -y sizes=3"),
    Line("run train -y zz=5 --force-flags"),
    Line("run train fast=no name=1.0 lr=1e-9 -y"),
    differs("run fail lr=[1,2] -y --force-flags --fail-on-trial-error", ROW_TRIALS, "err", "runs"),
    Line("run steps -y"),
    Line("run typed -y st=1.0 it=4 ft=5 bo=0 ot=z al=two mi=10 rr=4 ch=3"),
    Line("run typed -y st=null bo= al=two k=5"),
    Line("run arg -y sc='c,d' sp='\"c d\" e'"),
    Line("run train -y -bc x"),
    Line("run train -y -q --needed --gpus 0 lr=11"),
    differs("run show -y x=2020-01-01", ROW_DATE, "out"),
)
