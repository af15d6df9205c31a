"""How `make docs` builds these pages. They are plain Markdown, and read as well on a code host.

What Sphinx wants beside them is made here while it builds: the tree of contents from the links of ``index.md``, and a
page of reference for each room of the package, from its docstrings, into ``reference/`` (not kept).
"""

import re
from collections import defaultdict
from pathlib import Path

from sphinx import addnodes
from sphinx.application import Sphinx

import loadproof

HERE = Path(__file__).parent

project = "loadproof"
author = "the loadproof authors"
release = version = loadproof.__version__
language = "en-GB"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["**/.*"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_title = f"loadproof {release}"
html_show_copyright = False
html_copy_source = False
myst_heading_anchors = 3
add_module_names = False
autodoc_member_order = "bysource"
napoleon_attr_annotations = False  # a class says its types itself
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

_ARRAY = re.compile(
    r"~?(?:numpy\.)?ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?(?:numpy\.)?dtype\[~?(?:numpy\.)?([^\[\]]+)\]\]"
)

BEYOND_THE_DOOR = (
    "loadproof.detector",
    "loadproof.errors",
    "loadproof.forecaster",
    "loadproof.limits",
    "loadproof.schema",
    "loadproof.features.calendar",
    "loadproof.features.weather",
)
"""Modules whose words the others speak, beside those that ``loadproof`` itself offers names of."""


def write_reference(app: Sphinx) -> None:
    """Write a page a room of the package: every public module below it, by its docstrings."""
    del app
    rooms = defaultdict(list)
    for module in sorted({*loadproof._HOMES, *BEYOND_THE_DOOR}):
        rooms[module.split(".")[1] if module.count(".") > 1 else "ground"].append(module)
    folder = HERE / "reference"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.rst"):
        if old.stem not in rooms:
            old.unlink()
    for room, modules in rooms.items():
        title = "The ground floor" if room == "ground" else room
        parts = [f"{title}\n{'=' * len(title)}\n"]
        for module in modules:
            directive = f".. automodule:: {module}\n   :members:\n   :show-inheritance:\n"
            parts.append(f"{module}\n{'-' * len(module)}\n\n{directive}")
        text = "\n".join(parts)
        path = folder / f"{room}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _tree(caption: str, pages: list[str]) -> str:
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def read_source(app: Sphinx, name: str, content: list[str]) -> None:
    """Put the tree of contents below the map, and turn links that lead out of ``docs`` into names of files."""
    del app
    if not (HERE / f"{name}.md").exists():
        return
    text = content[0]
    if name == "index":
        for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
            caption, body = section.split("\n", 1)
            content[0] += _tree(caption, re.findall(r"\]\((?!\.\.)([^)#]+)\.md\)", body))
        rooms = sorted(f"reference/{path.stem}" for path in (HERE / "reference").glob("*.rst"))
        content[0] += _tree("Reference", rooms)
    above = r"\.\./" * (name.count("/") + 1)
    content[0] = re.sub(rf"\[([^\]]+)\]\({above}([^)]+)\)", r"\1 (`\2`)", content[0])


_constants: dict[str, list[str]] = {}


def keep_constant(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Remember what is said of a constant, of which Napoleon would take all before a colon for the type."""
    del app, obj, options
    if what in {"attribute", "data"}:
        _constants[name] = list(lines)


def put_back(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Say of a constant what the source says."""
    del app, what, obj, options
    lines[:] = _constants.pop(name, lines)


def tell_knobs(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Say of each knob of a section of the config, and of each field of a row, what its description says."""
    del app, name, options
    fields = getattr(obj, "model_fields", {}) if what == "class" else {}
    lines += ["", *(f"* ``{knob}``: {field.description}" for knob, field in fields.items() if field.description), ""]


def skip_fields(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Leave out what Python says of a tuple's fields and pydantic of its config; None lets others decide."""
    del app, what, skip, options
    return True if name == "model_config" or str(obj.__doc__).startswith("Alias for field number") else None


def shorten(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Say ``NDArray[float32]`` as the source does."""
    del app, what, name, obj, options
    return (_ARRAY.sub(r"NDArray[\1]", signature or "") or None, _ARRAY.sub(r"NDArray[\1]", returns or "") or None)


def shorten_values(app: Sphinx, domain: str, kind: str, content: addnodes.desc_content) -> None:
    """Leave out the values of constants that are tables, for a table in one line is no reading."""
    del app, domain, kind
    for signature in content.parent.findall(addnodes.desc_signature):
        for node in list(signature.findall(addnodes.desc_annotation)):
            if len(said := node.astext()) > 80 and said.lstrip().startswith("="):
                node.parent.remove(node)


def setup(app: Sphinx) -> None:
    """Hang both into the build."""
    app.connect("builder-inited", write_reference)
    app.connect("source-read", read_source)
    app.connect("autodoc-process-docstring", keep_constant, priority=400)  # Napoleon comes at 500
    app.connect("autodoc-process-docstring", put_back, priority=600)
    app.connect("autodoc-process-docstring", tell_knobs)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("object-description-transform", shorten_values)
    app.connect("autodoc-process-signature", shorten)
