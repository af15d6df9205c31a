"""What an object shows of itself: one line in a terminal, a small table in a notebook."""

from collections.abc import Mapping
from html import escape

__all__ = ["Card", "card_html", "card_line"]


def card_line(title: str, facts: Mapping[str, object]) -> str:
    """Return the facts in one line, as ``Windows(12 windows, entities: 3)``."""
    return f"{title}({', '.join(f'{name}: {fact}' if name else str(fact) for name, fact in facts.items())})"


def card_html(title: str, facts: Mapping[str, object]) -> str:
    """Return the facts as a table of HTML, everything escaped."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(str(fact))}</td></tr>'
        for name, fact in facts.items()
    )
    return f"<table><caption style='text-align:left'><b>{escape(title)}</b></caption>{rows}</table>"


class Card:
    """Shows an object by its facts; a dataclass that takes this in says ``repr=False``."""

    def card(self) -> dict[str, object]:
        """Return what to show, by name; a fact without a name speaks for itself."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return card_line(type(self).__name__, self.card())

    def _repr_html_(self) -> str:
        return card_html(type(self).__name__, self.card())
