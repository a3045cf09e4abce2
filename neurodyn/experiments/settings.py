"""Settings of an experiment: its keyword arguments, read from text by their annotations."""

from __future__ import annotations

import inspect
import math
import numbers
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Union


class InputError(ValueError):
    """What the user gave cannot be used; one sentence: name, value, what is expected."""


@dataclass(frozen=True)
class Parameter:
    """One keyword argument of an experiment.

    Attributes
    ----------
    name : str
    annotation : object
        Its evaluated type.
    default : object
    doc : str
        Its text in the docstring, on one line.
    """

    name: str
    annotation: Any
    default: Any
    doc: str

    @property
    def type_text(self) -> str:
        """What is expected, in words."""
        return _expected(self.annotation)


def parameters(function: Callable, positional: bool = False) -> dict[str, Parameter]:
    """The keyword-only arguments of `function`, in order; all that have a name if `positional`."""
    kinds = {inspect.Parameter.KEYWORD_ONLY}
    if positional:
        kinds.add(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    docs = _parameter_docs(inspect.getdoc(function) or "")
    return {
        p.name: Parameter(p.name, _annotation(function, p), p.default, docs.get(p.name, ""))
        for p in inspect.signature(function).parameters.values()
        if p.kind in kinds
    }


def convert(
    known: Mapping[str, Parameter], settings: Mapping[str, Any], owner: str
) -> dict[str, Any]:
    """Settings as the arguments they stand for.

    Parameters
    ----------
    known : mapping
        From `parameters`, without the ones that cannot be set.
    settings : mapping
        Values as text, or as they are.
    owner : str
        Whose settings they are, for the message.

    Raises
    ------
    InputError
        For an unknown name (with a did-you-mean) or a value that does not fit.
    """
    out = {}
    for name, value in settings.items():
        if name not in known:
            raise InputError(unknown(name, known, f"setting of {owner}", "settings"))
        try:
            out[name] = _converted(value, known[name].annotation)
        except _Unfit:
            raise InputError(
                f"`{name}` of {owner} must be {known[name].type_text}; got {value!r}"
            ) from None
    return out


def unknown(name: str, known: Sequence[str] | Mapping, kind: str, plural: str) -> str:
    """Sentence for a name that does not exist."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean `{close[0]}`? " if close else ""
    return f"`{name}` is no {kind}; {hint}the {plural} are: {', '.join(known) or 'none'}"


class _Unfit(Exception):
    pass


def _annotation(function: Callable, parameter: inspect.Parameter) -> Any:
    """Evaluated annotation of one argument.

    One by one, because others may name types that are imported for type checkers only.
    """
    found = parameter.annotation
    if isinstance(found, str):
        names = dict(vars(typing)) | inspect.unwrap(function).__globals__
        try:
            found = eval(found, names)
        except Exception:
            found = parameter.empty
    if found is parameter.empty:
        default = parameter.default
        return str if default is None or default is parameter.empty else type(default)
    return found


def _converted(value: Any, kind: Any) -> Any:
    kind = _plain(kind)
    if typing.get_origin(kind) in (Union, types.UnionType):
        # the most particular first: text fits everything, and int every 0 and 1
        for member in sorted(typing.get_args(kind), key=_rank):
            try:
                return _converted(value, member)
            except _Unfit:
                continue
        raise _Unfit
    convert_one = _from_text if isinstance(value, str) else _from_object
    return convert_one(value, kind)


_ORDER = (type(None), Literal, int, float, bool, tuple, list, Path, str)


def _rank(kind: Any) -> int:
    kind = _plain(kind)
    key = typing.get_origin(kind) or kind
    key = list if key is _SEQUENCE else key
    return _ORDER.index(key) if key in _ORDER else len(_ORDER)


_SEQUENCE = typing.get_origin(Sequence[int])


def _plain(kind: Any) -> Any:
    return _plain(typing.get_args(kind)[0]) if typing.get_origin(kind) is Annotated else kind


def _from_text(text: str, kind: Any) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is str:
        return text
    if kind is Path:
        return Path(text).expanduser()
    if kind in (type(None), None):
        if text.strip().lower() == "none":
            return None
    elif kind is bool:
        words = {"true": True, "yes": True, "on": True, "1": True}
        words |= {"false": False, "no": False, "off": False, "0": False}
        if text.strip().lower() in words:
            return words[text.strip().lower()]
    elif kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            raise _Unfit from None
        if not math.isnan(value):
            return value
    elif origin is Literal:
        for option in args:
            if str(option) == text.strip():
                return option
    elif (origin or kind) in (tuple, list, _SEQUENCE):
        stripped = text.strip()
        if stripped[:1] + stripped[-1:] in ("()", "[]"):
            stripped = stripped[1:-1]
        return _items([item.strip() for item in stripped.split(",") if item.strip()], kind)
    raise _Unfit


def _from_object(value: Any, kind: Any) -> Any:
    origin = typing.get_origin(kind)
    if kind is bool or kind in (type(None), None):
        if isinstance(value, bool if kind is bool else type(None)):
            return value
    elif kind is int:
        if isinstance(value, numbers.Integral) and not isinstance(value, bool):
            return int(value)
    elif kind is float:
        if isinstance(value, numbers.Real) and not isinstance(value, bool) and value == value:
            return float(value)
    elif kind is Path:
        if isinstance(value, os.PathLike):
            return Path(value)
    elif origin is Literal:
        if value in typing.get_args(kind):
            return value
    elif (origin or kind) in (tuple, list, _SEQUENCE):
        if isinstance(value, list | tuple):
            return _items(list(value), kind)
    elif kind is not str:
        return value  # a type that is not ours to check
    raise _Unfit


def _items(items: list, kind: Any) -> Any:
    origin, args = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is tuple and args and args[-1:] != (Ellipsis,):
        if len(args) != len(items):
            raise _Unfit
        return tuple(_converted(item, arg) for item, arg in zip(items, args))
    element = args[0] if args else str
    return (tuple if origin is tuple else list)(_converted(item, element) for item in items)


def _expected(kind: Any) -> str:
    """What a value of type `kind` is, in words.

    >>> _expected(int | None), _expected(Literal["fast", "full"]), _expected(tuple[float, ...])
    ('a whole number or none', 'fast or full', 'numbers separated by commas')
    """
    kind = _plain(kind)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    simple = {
        int: "a whole number", float: "a number", bool: "true or false", str: "text",
        Path: "a path", type(None): "none", None: "none",
    }
    if origin in (Union, types.UnionType):
        return " or ".join(_expected(arg) for arg in args)
    if origin is Literal:
        return " or ".join(str(arg) for arg in args)
    if (origin or kind) in (tuple, list, _SEQUENCE):
        if origin is tuple and args[-1:] != (Ellipsis,):
            return ", ".join(_expected(arg) for arg in args) + " (separated by commas)"
        element = _expected(args[0]) if args else "text"
        plural = {"a whole number": "whole numbers", "a number": "numbers", "a path": "paths"}
        return f"{plural.get(element, element)} separated by commas"
    return simple.get(kind, getattr(kind, "__name__", str(kind)))


def _parameter_docs(doc: str) -> dict[str, str]:
    """Texts of the "Parameters" section of a numpydoc docstring, each on one line."""
    lines, out, names = doc.splitlines(), {}, []
    try:
        start = next(
            i for i, line in enumerate(lines[:-1])
            if line.strip() == "Parameters" and set(lines[i + 1].strip()) == {"-"}
        )
    except StopIteration:
        return {}
    for i in range(start + 2, len(lines)):
        line = lines[i]
        if i + 1 < len(lines) and line.strip() and set(lines[i + 1].strip()) == {"-"}:
            break  # the next section
        if line and not line[0].isspace():
            names = [name.strip() for name in line.split(":")[0].split(",")]
        elif line.strip():
            for name in names:
                out[name] = f"{out.get(name, '')} {line.strip()}".strip()
    return out
