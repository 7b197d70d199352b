"""Run a benchmark as a program: read its options, measure, print words or one JSON object."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shopvision.exceptions import ShopvisionError

Answer = dict[str, Any]


def make_parser(module: str, description: str | None) -> ArgumentParser:
    """A parser with ``--json``; ``--help`` shows the module's docstring as it is written."""
    parser = ArgumentParser(
        prog=f"python -m {module}", description=description, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of words")
    return parser


def run(
    parser: ArgumentParser,
    measure: Callable[[Namespace], Answer],
    arguments: Sequence[str] | None = None,
    *,
    words: Callable[[Mapping[str, Any]], str] | None = None,
) -> Answer:
    """Measure with the options of the command line, and print what was found.

    Args:
        measure: the figures, given the options.
        arguments: the command line's if not given.
        words: the figures as text; a line for each of them if not given.

    Returns:
        What was printed. Leaves the process with status 1 and the reason where the input is refused.
    """
    options = parser.parse_args(arguments)
    try:
        answer = measure(options)
    except ShopvisionError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    print(json.dumps(answer) if options.json else (words or table)(answer))
    return answer


def say(text: str) -> None:
    """Report progress on standard error."""
    print(f"evaluating: {text}", file=sys.stderr)


def table(answer: Mapping[str, Any]) -> str:
    """A line for each figure, and for each row of a table of figures."""
    lines = []
    for key, value in answer.items():
        nested = isinstance(value, dict) and any(isinstance(one, dict) for one in value.values())
        lines += (
            [key, *(f"  {name:26} {_line(row)}" for name, row in value.items())]
            if nested
            else [f"{key:22} {_line(value)}"]
        )
    return "\n".join(lines)


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name} {number}" for name, number in value.items())
    return str(value)
