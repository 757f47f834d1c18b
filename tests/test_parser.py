"""What a parser says of a mistake, and how a library's words become a command's."""

from __future__ import annotations

import pytest

from poll_counter.cli.options import in_options
from poll_counter.cli.parser import Parser


def parser() -> Parser:
    """A parser with a bit of everything."""
    made = Parser(prog="count")
    made.add_argument("--players", type=int)
    made.add_argument("--rate", type=float)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    watch = commands.add_parser("watch")
    watch.add_argument("--env", choices=("eu", "us"))
    commands.add_parser("publish")
    return made


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "count: the following arguments are required: COMMAND;"),
        (["--players", "x", "watch"], "count: argument --players: 'x' is no whole number;"),
        (["--rate", "x", "watch"], "count: argument --rate: 'x' is no number;"),
        (["watch", "--hello"], "count: unrecognized arguments: --hello;"),
        (["wach"], "count: argument COMMAND: invalid choice: 'wach' (choose from "),
        (["watch", "--env", "uk"], "count watch: argument --env: invalid choice: 'uk' "),
    ],
)
def test_a_mistake_is_a_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what was wrong and where help is, without all that could have been typed."""
    with pytest.raises(SystemExit) as exit_:
        parser().parse_args(words)
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(sentence)
    assert err.endswith(" --help` shows what there is\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "meant"),
    [(["wach"], "Did you mean 'watch'?"), (["watch", "--env", "eu1"], "Did you mean 'eu'?")],
)
def test_a_slip_is_understood(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who nearly typed a word is told it; who did not is told nothing."""
    for typed, told in ((words, True), (["xyzzy"], False)):
        with pytest.raises(SystemExit):
            parser().parse_args(typed)
        assert (meant in capsys.readouterr().err) is told


def test_arguments_are_named_as_options() -> None:
    """What the library calls by its own names is what people typed."""
    assert in_options("interval_s is 5.0; pass 60") == "--interval is 5.0; pass 60"
    assert in_options("or pass allow_plain=True where") == "or pass --allow-plain where"
    kept = "no poll_counter_sample_rate = 0.1"  # a field's name is the platform's
    assert in_options(kept) == kept
