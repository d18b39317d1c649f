"""The text of help: of one operation, of a model, of a whole guildfile."""

from collections.abc import Iterator, Sequence

from guild.app import App
from guild.base.text import printable, table
from guild.errors import GuildError, OperationNotFound
from guild.ops.flags import format_value
from guild.ops.guildfile import Guildfile, Model
from guild.ops.opdef import Choice, FlagDef, OpDef
from guild.ops.resolve import Context, parse_opspec, with_imported

OVERVIEW = """\
You are viewing help for operations defined in {where}.

To run an operation use 'guild run OPERATION' where OPERATION is one of those
listed below. If an operation is associated with a model, include the model
name as MODEL:OPERATION.

To list available operations, run 'guild operations'.

Set operation flags using 'FLAG=VALUE' arguments to the run command. Refer to
the operations below for a list of supported flags.

For more information on running operations, try 'guild run --help'.

For general information, try 'guild --help'."""


def help_op(opdef: OpDef) -> str:
    """`guild run OPERATION --help-op`."""
    lines = [f"Usage: guild run [OPTIONS] {opdef.name} [FLAG]...", ""]
    if opdef.description:
        lines += [*_paragraphs(opdef.description), ""]
    lines.append("Use 'guild run --help' for a list of options.")
    if opdef.flags:
        lines += ["", "Flags:", *flag_lines(opdef.flags, 2)]
    return "\n".join(lines)


def help_model(app: App, opspec: str | None) -> str:
    """`guild run [MODEL:]OPERATION --help-model`: the operations and resources of its model.

    Raises OperationNotFound where there is no such model, GuildError for a guildfile that is wrong.
    """
    from guild.commands._project import load_project, project_context

    guildfile = load_project(project_context(app))
    if guildfile is None:
        raise OperationNotFound(
            f"cannot find a model in {app.cwd}", "Models are defined in guild.yml; this directory has none."
        )
    spec = parse_opspec(opspec)
    return _model_page(guildfile.model(spec.model, spec.op))


def _model_page(model: Model) -> str:
    name = f"{model.name}:OPERATION"
    lines = [f"Usage: guild run [OPTIONS] {name.removeprefix(':')} [FLAG]...", ""]
    if model.description:
        lines += [*_paragraphs(model.description), ""]
    use = f"guild run {name.removeprefix(':')} --help-op"
    lines += [f"Use '{use}' for help on a particular operation.", "", "Operations:"]
    rows = [(op, model.summary(op)) for op in sorted(model.operations) if not op.startswith("_")]
    lines += table(rows, 2)
    resources = model.resources()
    if resources:
        lines += ["", "Resources:", *table(sorted(resources.items()), 2)]
    return "\n".join(lines)


def help_page(guildfile: Guildfile, context: Context, where: str) -> str:
    """`guild help`: all visible models and operations of a guildfile, with their flags.

    `where`: what holds the operations, in words.
    """
    lines = ["OVERVIEW", "", *_indented(OVERVIEW.format(where=where).splitlines())]
    models = [m for m in guildfile.models if not m.name.startswith("_")]
    base = [m for m in models if not m.name]
    if any(m.operations for m in base):
        lines += ["", "BASE OPERATIONS"]
        for model in base:
            lines += _indented(_operations(guildfile, model, context))
    named = [m for m in models if m.name]
    if named:
        lines += ["", "MODELS"]
        for model in named:
            lines += [
                "",
                *_indented([printable(model.name), *_indented(_model(guildfile, model, context), 2)]),
            ]
    return "\n".join(line.rstrip() for line in lines)


def _model(guildfile: Guildfile, model: Model, context: Context) -> list[str]:
    lines = ["", *_paragraphs(model.description)] if model.description else []
    operations = _operations(guildfile, model, context)
    if operations:
        lines += ["", "Operations:", *_indented(operations, 2)]
    if model.references:
        lines += ["", "References:", "", *_indented([f"- {printable(text)}" for text in model.references], 2)]
    return lines


def _operations(guildfile: Guildfile, model: Model, context: Context) -> list[str]:
    lines = []
    for name in sorted(model.operations):
        if not name.startswith("_"):
            lines += ["", printable(name), *_indented(operation_lines(guildfile, model, name, context), 2)]
    return lines


def operation_lines(guildfile: Guildfile, model: Model, name: str, context: Context) -> list[str]:
    """The description of an operation, its flags and its references."""
    try:
        opdef = with_imported(guildfile.read(model, name), context).opdef
    except GuildError as e:
        from guild.commands._project import brief

        return [f"This operation cannot be run: {printable(brief(e.message))}"]
    lines = _paragraphs(opdef.description)
    if opdef.flags:
        lines += [*([""] if lines else []), "Flags:", *flag_lines(opdef.flags, 2)]
    if opdef.references:
        lines += ["", "References:", *_indented([f"- {printable(text)}" for text in opdef.references], 2)]
    return lines


def flag_lines(flags: Sequence[FlagDef], indent: int = 0) -> list[str]:
    """A line for each flag, by name, and one below it for each choice where these have descriptions."""
    ordered = sorted(flags, key=lambda flag: flag.name)
    rows = [row for flag in ordered for row in ((flag.name, _flag_help(flag)), *_choice_rows(flag))]
    return table(rows, indent)


def _flag_help(flag: FlagDef) -> str:
    notes = []
    if flag.default is not None:
        notes.append(f"(default is {format_value(flag.default)})")
    elif flag.required:
        notes.append("(required)")
    elif flag.null_label:
        notes.append(f"(default is {flag.null_label})")
    if flag.choices and not _described(flag):
        notes.append("choices: " + ", ".join(_choice_name(c) for c in flag.choices))
    return " ".join([*flag.description.split(), *notes])


def _described(flag: FlagDef) -> bool:
    return any(c.description for c in flag.choices)


def _choice_name(choice: Choice) -> str:
    return format_value(choice.alias if choice.alias is not None else choice.value)


def _choice_rows(flag: FlagDef) -> Iterator[tuple[str, str]]:
    if _described(flag):
        rows = [(_choice_name(c), " ".join(c.description.split())) for c in flag.choices]
        yield from (("", line) for line in table(rows, 2))


def _paragraphs(text: str) -> list[str]:
    return [printable(line) for line in text.strip().splitlines()]


def _indented(lines: Sequence[str], by: int = 4) -> list[str]:
    return [" " * by + line if line else "" for line in lines]
