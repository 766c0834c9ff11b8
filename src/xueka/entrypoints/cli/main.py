"""The `xueka` command: finds its parts, renders refusals, answers signals."""

import importlib
import os
import pkgutil
import signal
import sys
from types import FrameType

import typer
from typer import rich_utils
from typer._click import core, exceptions, formatting
from typer.core import TyperArgument, TyperOption

from xueka.entrypoints import cli
from xueka.entrypoints.cli import common, usage
from xueka.kernel.errors import XuekaError
from xueka.platform.database.location import EmbeddedServerError

SUFFIX = "_commands"
_english_help_option = core.Command.get_help_option
_english_usage = formatting.HelpFormatter.write_usage
_english_type = {kind: kind.display_type for kind in (TyperArgument, TyperOption)}
#: Typer's own words in the help; a switch takes no value, so that it has no type to show.
_USAGE = {"[OPTIONS]": "[选项]", "COMMAND [ARGS]...": "命令 [参数]…"}
_TYPES = {
    "<bool>": "",
    "<str>": "<文字>",
    "<int>": "<整数>",
    "<int range>": "<整数>",
    "<float range>": "<数字>",
    "<float>": "<数字>",
    "<path>": "<文件>",
    "<datetime>": "<日期>",
}


def build() -> typer.Typer:
    """The whole command.

    A module `NAME_commands` brings either `app`, which becomes the group NAME, or `register(app)`, which adds
    commands to the top level. Modules import Django inside functions: `xueka calendar` does without.
    """
    rich_utils.ARGUMENTS_PANEL_TITLE = "参数"
    rich_utils.OPTIONS_PANEL_TITLE = "选项"
    rich_utils.COMMANDS_PANEL_TITLE = "命令"
    rich_utils.DEFAULT_STRING = "[缺省：{}]"
    rich_utils.REQUIRED_LONG_STRING = "[必填]"
    core.Command.get_help_option = _help_option  # type: ignore[method-assign,assignment]
    formatting.HelpFormatter.write_usage = _usage  # type: ignore[method-assign,assignment]
    for kind in _english_type:
        kind.display_type = _type  # type: ignore[method-assign,assignment]
    app = typer.Typer(
        name="xueka",
        help="学卡：城市学生卡管理系统。",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for found in pkgutil.iter_modules(cli.__path__):
        if not found.name.endswith(SUFFIX):
            continue
        module = importlib.import_module(f"{cli.__name__}.{found.name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=found.name.removesuffix(SUFFIX))
        else:
            module.register(app)
    return app


def main() -> None:
    """Run the command. Exit code 0 done, 1 refused or findings, 2 wrong usage."""
    os.umask(0o077)  # whatever a command writes may hold personal data
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        code = build()(prog_name="xueka", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except exceptions.NoArgsIsHelpError:
        sys.exit(2)  # the help is on the screen
    except exceptions.UsageError as error:
        common.show_error(usage.explain(error).as_dict())
        sys.exit(2)
    except typer.Abort:
        sys.stderr.write("已中止。\n")
    except XuekaError as error:
        common.show_error(error.as_dict())
    except EmbeddedServerError as error:
        common.show_error({"code": "DATABASE_UNAVAILABLE", "message": str(error)})
    sys.exit(1)


def _help_option(command: core.Command, context: core.Context) -> TyperOption | None:
    """`--help` explained in Chinese like every other option."""
    found = _english_help_option(command, context)
    if found is not None:
        found.help = "显示本说明。"
    return found


def _usage(to: formatting.HelpFormatter, prog: str, args: str = "", prefix: str | None = None) -> None:
    """The first line of a command's help."""
    for english, chinese in _USAGE.items():
        args = args.replace(english, chinese)
    _english_usage(to, prog, args, "用法：" if prefix is None else prefix)


def _type(param: TyperArgument | TyperOption, context: core.Context) -> str:
    """What kind of value an option takes."""
    found = _english_type[type(param)](param, context)
    return _TYPES.get(found, found)


def _leave(number: int, frame: FrameType | None) -> None:
    """Leave through every `finally` on the way out; the embedded server is stopped by one of them."""
    sys.exit(128 + number)
