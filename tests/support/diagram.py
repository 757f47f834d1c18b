"""Draws the README's state diagram from the machine's table: python -m tests.support.diagram."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from poll_counter.machine import TABLE, State

README = Path(__file__).parents[2] / "README.md"
START, END = "```mermaid\n", "```\n"


def diagram() -> str:
    """The diagram as Mermaid text: one arrow per pair of states, with the facts that lead there."""
    arrows: dict[tuple[State, State], list[str]] = defaultdict(list)
    for state, rows in TABLE.items():
        for fact, row in rows.items():
            for target in sorted(row.to, key=list(State).index) if row else ():
                if target is not state:
                    arrows[state, target].append(fact.__name__)
    lines = ["stateDiagram-v2", "    [*] --> OFFLINE"]
    for (state, target), facts in arrows.items():
        lines.append(f"    {state.name} --> {target.name}: {_label(facts)}")
    return "\n".join([*lines, "    FINISHED --> [*]", ""])


def _label(facts: list[str]) -> str:
    """The facts of an arrow; changes of elements are one."""
    named = ["Element*" if fact.startswith("Element") else fact for fact in facts]
    return "whatever is told" if len(facts) > 5 else ", ".join(dict.fromkeys(named))


def in_readme() -> str:
    """The diagram as it stands in the README."""
    return README.read_text(encoding="utf-8").split(START)[1].split(END)[0]


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(text.replace(START + in_readme(), START + diagram()), encoding="utf-8")
