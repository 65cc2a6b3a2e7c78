"""YAML as files, overrides and keys are read: no key of a section stands there twice."""

from __future__ import annotations

from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"


class RepeatedKeyError(yaml.YAMLError):
    """A section has a key twice: YAML takes the last one, and the first would go unnoticed."""


class NoSuchValueError(yaml.MarkedYAMLError):
    """A text looks like a date or a number, and there is none such: 2018-02-30."""


class _Loader(yaml.SafeLoader):
    """A loader that says where a value is that can't be made."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node, see `yaml.SafeLoader`."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, ArithmeticError, LookupError, AttributeError):
            raise NoSuchValueError(
                problem="no such date or number", problem_mark=node.start_mark
            ) from None


def parse_yaml(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        RepeatedKeyError: if a section has a key twice; it says which and where, and no value.
        NoSuchValueError: if a date or a number is none; it says where, and no value.
        yaml.YAMLError: if it is no YAML, or nested too deep.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        # Before anything is merged: what a section takes over from another may be given anew.
        _check_keys(node, set())
        return loader.construct_document(node)
    except RecursionError:
        raise yaml.YAMLError("nested too deep") from None
    finally:
        loader.dispose()


def _check_keys(node: yaml.Node, seen: set[int]) -> None:
    """Look through a node once: aliases let it be in several places, and within itself."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_keys(value, seen)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            _check_keys(value, seen)
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in lines:
                raise RepeatedKeyError(
                    f"found the key {key.value} twice, in lines {lines[name]} and {line}, "
                    "expected it once"
                )
            lines[name] = line
