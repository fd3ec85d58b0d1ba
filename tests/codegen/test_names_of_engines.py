"""Nothing but its own module knows an engine or an operator by name: nobody compares names, or
lists them. Who needs to know states a property."""

import ast
import re
from pathlib import Path

import hlsgen
from hlsgen.engines import engines
from hlsgen.ops import operators

PACKAGE = Path(hlsgen.__file__).parent
NAMES = {*engines(), *operators()}
# Rooms whose modules own the names.
OWNERS = ("ops", "engines")
# What has a reason to list them.
ALLOWED = {
    "plan_schema_1.py": "what plans of earlier versions called the sizes",
    "train/layers.py": "torch's functions of the operators; operators must not import torch",
}
# Functions that look up an engine, an operator, or an engine's sizes.
LOOKUPS = {"engine", "operator", "array", "of", "get"}


def is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value in NAMES


def listed(node: ast.AST) -> list[ast.AST]:
    """The names among the elements of a list, or the keys of a dictionary that has few others."""
    if isinstance(node, ast.Dict):
        names = [key for key in node.keys if key is not None and is_name(key)]
        return names if 2 * len(names) > len(node.keys) else []
    return [e for e in getattr(node, "elts", ()) if is_name(e)]


def offences(tree: ast.AST) -> set[tuple[int, str]]:
    """Lines that compare, list or look up names."""
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            found += [side for side in sides if is_name(side)]
            found += [name for side in sides for name in listed(side)]
        elif len(names := listed(node)) > 1:
            found += names
        elif isinstance(node, ast.Subscript) and is_name(node.slice):
            of_weights = isinstance(node.value, ast.Attribute) and node.value.attr == "weights"
            found += [] if of_weights else [node.slice]  # a scale's weight is called scale
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
            called = called.id if isinstance(called, ast.Name) else called
            found += [a for a in node.args if called in LOOKUPS and is_name(a)]
        elif isinstance(node, ast.MatchValue) and is_name(node.value):
            found.append(node.value)
    return {(node.lineno, node.value) for node in found}


def test_faults_are_found():
    for text in (
        'x = 1 if step.engine == "pooling" else 2',
        'x = layer.op in ("conv", "other")',
        'ACCUMULATING = ("conv", "dense")',
        'SIZES = {"dense": 1, "sparse": 2}',
        'x = sizes["softmax"]',
        'x = engines.of("gather").extent',
        'x = table.get("lrn", 1)',
    ):
        assert offences(ast.parse(text)), text
    context = 'x = {"activation": 1, "scale": 2, "bias": 3, "window": 4}'
    for text in ('x = replace(layer, op="gather")', context, 'x = layer.weights["scale"]'):
        assert not offences(ast.parse(text)), text


def test_python_compares_no_names():
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE)
        if name.parts[0] not in OWNERS and str(name) not in ALLOWED:
            lines = sorted(offences(ast.parse(path.read_text())))
            found += [f"{name}:{line}: {what}" for line, what in lines]
    assert not found, "\n".join(found)


def test_templates_compare_no_names():
    """An engine's or an operator's own template may say what it is called."""
    names = "|".join(sorted(NAMES))
    quoted = re.compile(rf"[\"']({names})[\"']")
    found = []
    for path in sorted((PACKAGE / "templates").rglob("*.j2")):
        own = path.name.removesuffix(".cl.j2")
        for statement in re.findall(r"{[{%].*?[%}]}", path.read_text(), re.S):
            compared = re.search(r"==|!=|[\"'] in |in [(\[]", statement)
            others = set(quoted.findall(statement)) - {own}
            found += [f"{path.name}: {statement}"] if compared and others else []
    assert not found, "\n".join(found)


def test_what_is_allowed_is_still_there():
    for name in ALLOWED:
        assert offences(ast.parse((PACKAGE / name).read_text())), name
