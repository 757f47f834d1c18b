"""The command line: `python -m simulator`."""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress import Progress
from rich.table import Table

from poll_counter import MisuseError

from .explore import Tried, explore, print_exploration, replay_line
from .load.options import locust_command
from .load.options import make_parser as make_show_parser
from .logfile import LogFile
from .loops import run
from .options import make_parser, read_scenario, refuse_options, run_line
from .page import page
from .platform import Shared
from .report import Report, options_line, print_crowd, print_report
from .scenario import VIRTUAL_ONLY, Scenario, preset_names
from .serve import check_host, join_show, serve_show
from .shards import WorkerLostError
from .soak import KINDS, print_soak, soak
from .sockets import run_sockets
from .studio.serve import serve_studio
from .trials import TRIALS, print_trials, run_trials
from .virtual import run_virtual


def _screen(console: Console) -> Console:
    """Where people look: at what is printed or, where that goes elsewhere, at standard error."""
    return console if console.is_terminal else Console(stderr=True)


@contextmanager
def _live(
    console: Console, *, wanted: bool
) -> Generator[Callable[[RenderableType], object] | None]:
    """Show a live table while the block runs, on a terminal."""
    screen = _screen(console)
    if wanted and screen.is_terminal:
        printing = screen is console  # else what is printed must not go to the terminal
        with Live(
            console=screen, auto_refresh=False, transient=True, redirect_stdout=printing
        ) as live:
            yield lambda table: live.update(table, refresh=True)
    else:
        yield None


@contextmanager
def _bar(console: Console, what: str, total: int) -> Generator[Callable[[int], object]]:
    """Show a progress bar while the block runs, on a terminal; gives what to tell how many."""
    screen = _screen(console)
    if screen.is_terminal:
        printing = screen is console
        with Progress(console=screen, transient=True, redirect_stdout=printing) as progress:
            task = progress.add_task(what, total=total)
            yield lambda done: progress.update(task, completed=done)
    else:
        yield lambda _done: None


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    told = sys.argv[1:] if arguments is None else arguments
    if told[:1] == ["locust"]:
        _become_locust(told[1:])
    parser = make_parser()
    options = parser.parse_args(arguments, argparse.Namespace(json=False))
    # With --json, what is meant for people goes to standard error.
    console = Console(stderr=options.json, highlight=False)
    try:
        alone = {
            "studio": _studio,
            "scenarios": _list_scenarios,
            "explore": _explore,
            "trials": _trials,
            "token": _token,
        }
        refuse_options(parser, options)
        options.processes = getattr(options, "processes", 1)
        if options.command in alone:
            return alone[options.command](options, console)
        acts = {
            None: _run,
            "run": _run_scenario,
            "soak": _soak,
            "serve": _serve,
            "crowd": _crowd,
        }
        act = acts[options.command]
        return act(read_scenario(parser, options), options, console)
    except MisuseError as error:
        print(f"python -m simulator: {error}", file=sys.stderr)
        return 2
    except WorkerLostError as error:
        print(f"python -m simulator: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _become_locust(arguments: list[str]) -> NoReturn:
    """Go on as Locust, which has a command line of its own."""
    if {"-h", "--help"} & set(arguments):
        make_show_parser().print_help()
        sys.exit()
    try:
        command = locust_command(arguments)
    except MisuseError as error:
        print(f"python -m simulator: {error}", file=sys.stderr)
        sys.exit(2)
    os.execv(command[0], command)  # noqa: S606 - as it was asked for


def _run(scenario: Scenario, options: argparse.Namespace, console: Console) -> int:
    console.print(options_line(scenario, options.processes), soft_wrap=True)
    report = _on_sockets(scenario, options, console)
    if options.json:
        print(report.as_json())
    else:
        print_report(report, console)
    return 0 if report.ok else 1


def _run_scenario(scenario: Scenario, options: argparse.Namespace, console: Console) -> int:
    replay = run_line(options)
    if options.report is not None:
        _check_report(options.report)
    console.print(replay, soft_wrap=True)
    if options.mode == "sockets":
        left_out = [name for name in VIRTUAL_ONLY if name in scenario.model_fields_set]
        if left_out:
            console.print(f"left out on sockets, which have their own: {', '.join(left_out)}")
        scenario = scenario.on_sockets()
    if not scenario.gives_time:
        console.print(
            f"in rounds of {scenario.round_time:g} s no vote has to arrive: they are spread over "
            f"{scenario.spread_s:g} s and may take {scenario.margin_s:g} s; must is 0"
        )
    if options.mode == "virtual":
        report = _in_virtual_time(scenario, options.processes, console)
    else:
        report = _on_sockets(scenario, options, console)
    if options.report is not None:
        others = None
        if scenario.without_spread and options.mode == "virtual":
            at_once = scenario.model_copy(update={"spread": 0.0})
            others = _in_virtual_time(at_once, options.processes, console)
        text = page(report, replay=replay, without_spread=others)
        try:
            options.report.write_text(text, encoding="utf-8")
        except OSError as error:
            raise MisuseError(f"the report cannot be written: {error}") from error
    if options.json:
        print(report.as_json())
    else:
        print_report(report, console, replay=replay)
    return 0 if report.ok else 1


def _check_report(file: Path) -> None:
    """Refuse a report that cannot be written now, rather than after a long run."""
    try:
        file.open("a", encoding="utf-8").close()
    except OSError as error:
        raise MisuseError(
            f"the report cannot be written: {file}: {error.strerror}; name a file, in a folder "
            "that is there"
        ) from error


def _on_sockets(scenario: Scenario, options: argparse.Namespace, console: Console) -> Report:
    with _live(console, wanted=not options.json) as show_live:
        show = run_sockets(scenario, show_live=show_live, processes=options.processes)
        return run(show)


def _in_virtual_time(scenario: Scenario, processes: int, console: Console) -> Report:
    with _bar(console, "players", scenario.players) as show:
        return run_virtual(
            scenario, processes=processes, show_progress=lambda done, _total: show(done)
        )


def _studio(options: argparse.Namespace, console: Console) -> int:
    serving = serve_studio(port=options.port, open_browser=options.open, console=console)
    try:
        run(serving)
    except OSError as error:
        raise MisuseError(f"cannot listen: {error}; try --port 0") from error
    return 0


def _list_scenarios(_options: argparse.Namespace, console: Console) -> int:
    table = Table(box=None, header_style="bold")
    for heading, justify in (("name", "left"), ("rounds", "right"), ("show", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type] # rich has a Literal
    table.add_column("what happens")
    for name in preset_names():
        scenario = Scenario.load(name)
        table.add_row(name, str(scenario.rounds), f"{scenario.show_s:.0f} s", scenario.description)
    console.print(table)
    return 0


def _explore(options: argparse.Namespace, console: Console) -> int:
    with _bar(console, "seeds", options.seeds) as show_done:
        done = itertools.count(1)

        def show(one: Tried) -> None:
            show_done(next(done))
            for violation in one.violations:
                console.print(
                    f"seed {one.seed}, round {violation.round}: broken: {violation.rule}: "
                    f"{violation.text}",
                    style="red",
                    soft_wrap=True,
                )
            if one.violations:
                console.print(f"    {replay_line(one.seed)}", soft_wrap=True)

        exploration = explore(
            options.first,
            options.seeds,
            minutes=options.minutes,
            processes=options.processes,
            show_progress=show,
        )
    if options.json:
        print(exploration.as_json())
    else:
        print_exploration(exploration, console)
    return 0 if exploration.ok else 1


def _trials(options: argparse.Namespace, console: Console) -> int:
    with _bar(console, "faults", len(TRIALS)) as show_done:
        done = itertools.count(1)
        trials = run_trials(quick=options.quick, show_progress=lambda _: show_done(next(done)))
    if options.json:
        print(trials.as_json())
    else:
        print_trials(trials, console)
    return 0 if trials.ok else 1


def _soak(scenario: Scenario, options: argparse.Namespace, console: Console) -> int:
    kinds = KINDS if options.mode is None else (options.mode,)
    with _live(console, wanted=not options.json) as show_live:
        soaked = run(soak(scenario, minutes=options.minutes, kinds=kinds, show_live=show_live))
    if options.json:
        print(soaked.as_json())
    else:
        print_soak(soaked, console)
    return 0 if soaked.ok else 1


def _token(options: argparse.Namespace, _console: Console) -> int:
    tokens = options.choices.player_tokens()
    if tokens is None:
        raise MisuseError("the choices have no player_keys; see simulator/choices.py")
    print(tokens.issue(options.event, options.user, time.time() + 3600.0 * options.hours))
    return 0


def _serve(scenario: Scenario, options: argparse.Namespace, console: Console) -> int:
    if (options.redis is None) != (options.node is None):
        raise MisuseError("--redis and --node go together: where Redis is, and which node this is")
    shared = None
    if options.redis is not None:
        shared = Shared(options.redis, options.node, audited=options.log is not None)
    with ExitStack() as stack:
        log = None
        if options.log is not None:
            try:
                log = stack.enter_context(LogFile(options.log))
            except OSError as error:
                raise MisuseError(f"the log cannot be written: {error}") from error
        serving = serve_show(
            scenario,
            choices=options.choices,
            host=options.host,
            port=options.port,
            web_port=options.web_port,
            autostart=options.autostart,
            as_json=options.json,
            console=console,
            log=log,
            shared=shared,
        )
        _served(serving)
    return 0


def _served(serving: Coroutine[None, None, None]) -> None:
    try:
        run(serving)
    except OSError as error:
        raise MisuseError(f"cannot listen: {error}") from error


def _crowd(scenario: Scenario, options: argparse.Namespace, console: Console) -> int:
    for url in options.urls:
        check_host(url, options.allow_host)

    def tell(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False)

    with _live(console, wanted=not options.json) as show_live:
        joining = join_show(
            scenario,
            options.urls,
            options.event,
            show_live,
            processes=options.processes,
            tokens=options.choices.player_tokens(),
            tell=tell,
        )
        report = run(joining)
    if options.json:
        print(report.as_json())
    else:
        print_crowd(report, console)
    return 0 if report.ok else 1


if __name__ == "__main__":
    # What a producer should mend is here what was asked for; the checks have the last word.
    logging.getLogger("poll_counter").setLevel(logging.ERROR)
    sys.exit(main())
