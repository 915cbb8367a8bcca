"""A table as LaTeX prints it."""

from __future__ import annotations

from robust_restoration.evaluation.result.table import Table


def latex(table: Table) -> str:
    """A table for the package booktabs, with the title as a comment; controls are indented."""
    lines = [
        " & ".join(("\\quad " if w[:2] == "  " else "") + _printed(w.strip()) for w in row)
        for row in (table.heads, *(row for _, row in table.rows))
    ]
    first, *others = [line + r" \\" for line in lines]
    columns = "l" * table.words + "r" * (len(table.heads) - table.words)
    about, begin = f"% {' '.join(table.title.split())}", rf"\begin{{tabular}}{{{columns}}}"
    return "\n".join([
        about, begin, r"\toprule", first, r"\midrule", *others, r"\bottomrule", r"\end{tabular}",
    ])


def _printed(words: str) -> str:
    """Words with what LaTeX reads as commands written out."""
    replaced = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    replaced |= {letter: f"\\{letter}" for letter in "&%$#_{}"}
    replaced |= {"±": r"$\pm$", "·": r"$\cdot$", "<": "$<$", ">": "$>$"}
    return "".join(replaced.get(letter, letter) for letter in words)
