"""How a page writes tables and numbers: HTML and text, without a word about shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["DASH", "data_table", "facts_table", "plain", "share", "times_as_many"]

DASH = "\N{EN DASH}"
"""Where there is no number."""


def data_table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    label: str,
    numbers: Iterable[int] = (),
    wrong: Iterable[int] = (),
) -> str:
    """A table that scrolls by itself; cells are HTML. Told are columns of numbers, wrong rows."""
    aligned, marked = set(numbers), set(wrong)

    def cell(column: int, text: str, *, scope: str = "", bad: bool = False) -> str:
        names = {"bad": bad, "number": column in aligned}
        kinds = " ".join(name for name, holds in names.items() if holds)
        kind = f' class="{kinds}"' if kinds else ""
        return f'<th scope="{scope}"{kind}>{text}</th>' if scope else f"<td{kind}>{text}</td>"

    head = "".join(cell(n, text, scope="col") for n, text in enumerate(heads))
    body = "".join(
        "<tr>"
        + cell(0, row[0], scope="row")
        + "".join(cell(n, row[n], bad=number in marked) for n in range(1, len(row)))
        + "</tr>\n"
        for number, row in enumerate(rows)
    )
    return (
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n"
    )


def facts_table(facts: Iterable[tuple[str, str]], label: str) -> str:
    """A table of what is told once: name and value, which are HTML."""
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td>{value}</td></tr>\n' for name, value in facts
    )
    return f'<table aria-label="{label}">\n<tbody>\n{rows}</tbody>\n</table>'


def times_as_many(more: int, less: int) -> str:
    """How many times as much."""
    if not less:
        return DASH
    ratio = more / less
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"  # noqa: PLR2004


def share(part: float) -> str:
    """A share of all, in percent."""
    return f"{100 * part:.3g} %"


def plain(number: float) -> str:
    """A number as it was written, without the noise of floats."""
    return f"{number:,}" if isinstance(number, int) else f"{number:,.10g}"
