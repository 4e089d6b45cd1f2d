"""Plain data in a Python pickle, read without running it.

CIFAR's official files are pickles, and unpickling a download runs any code in it. Here the standard
library's `pickletools` only parses the opcodes, and a small interpreter builds dictionaries, lists,
strings, numbers and NumPy arrays from them. Anything else is refused.
"""

from __future__ import annotations

import pickletools
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import StorageError

if TYPE_CHECKING:
    from typing import BinaryIO

MARK = object()
LITERALS = {
    "BININT", "BININT1", "BININT2", "INT", "LONG1", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINFLOAT",
}  # fmt: skip
CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
IGNORED = {"PROTO", "FRAME", "STOP"}


class _Global:
    """A name in a pickle, such as "numpy dtype", that unpickling would call."""

    def __init__(self, name: str) -> None:
        self.name = name.rpartition(" ")[2].rpartition(".")[2]


class _Array:
    """A NumPy array, or its dtype, under construction."""

    value: Any = None


def read_pickled_data(file: BinaryIO, where: str) -> Any:
    """Read the dictionary, list or array in the pickle `file`; `where` names it in errors.

    Raises
    ------
    StorageError
        for a truncated file, and for a pickle of anything but plain data and arrays.

    """
    try:
        return _Machine(where).run(file)
    except StorageError:
        raise
    except Exception as error:  # a pickle may have its opcodes in any order, and each is wrong in its own way
        raise StorageError(f"cannot read {where}: {error or 'not a pickle of plain data'}; fetch it again") from error


class _Machine:
    def __init__(self, where: str) -> None:
        self.where = where
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: BinaryIO) -> Any:
        for opcode, argument, _ in pickletools.genops(file):
            name = opcode.name
            if name in LITERALS:
                self.stack.append(argument)
            elif name in CONSTANTS:
                self.stack.append(CONSTANTS[name])
            elif name not in IGNORED:
                step = getattr(self, f"_{name.lower()}", None)
                if step is None:
                    raise StorageError(f"{self.where} holds the pickle opcode {name}; expected plain data and arrays")
                step(argument)
        return _finished(self.stack.pop(), {})

    def _above_mark(self) -> list[Any]:
        at = len(self.stack) - 1 - self.stack[::-1].index(MARK)
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def _mark(self, _: Any) -> None:
        self.stack.append(MARK)

    def _empty_dict(self, _: Any) -> None:
        self.stack.append({})

    def _empty_list(self, _: Any) -> None:
        self.stack.append([])

    def _append(self, _: Any) -> None:
        item = self.stack.pop()
        self.stack[-1].append(item)

    def _appends(self, _: Any) -> None:
        items = self._above_mark()
        self.stack[-1].extend(items)

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1][_text(key)] = value

    def _setitems(self, _: Any) -> None:
        items = self._above_mark()
        self.stack[-1].update((_text(key), value) for key, value in zip(items[::2], items[1::2], strict=True))

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._above_mark()))

    def _tuple1(self, _: Any) -> None:
        self.stack[-1:] = [(self.stack[-1],)]

    def _tuple2(self, _: Any) -> None:
        self.stack[-2:] = [tuple(self.stack[-2:])]

    def _tuple3(self, _: Any) -> None:
        self.stack[-3:] = [tuple(self.stack[-3:])]

    def _binput(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    _long_binput = _binput

    def _memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _binget(self, index: int) -> None:
        self.stack.append(self.memo[index])

    _long_binget = _binget

    def _global(self, name: str) -> None:
        self.stack.append(_Global(name))

    def _stack_global(self, _: Any) -> None:
        name = self.stack.pop()
        self.stack[-1] = _Global(name)

    def _reduce(self, _: Any) -> None:
        """Make an empty array, a dtype, or bytes as Python 3 writes them in protocol 2, without calling anything."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if function.name in ("_reconstruct", "dtype"):
            made: Any = _Array()
            made.value = np.dtype(arguments[0]) if function.name == "dtype" else None
        elif function.name == "encode":
            made = arguments[0].encode("latin-1")
        else:
            raise StorageError(f"{self.where} would call {function.name!r}; expected plain data and arrays")
        self.stack.append(made)

    def _build(self, _: Any) -> None:
        """Fill an array from (version, shape, dtype, Fortran order, bytes); a dtype keeps its byte order."""
        state, target = self.stack.pop(), self.stack[-1]
        if target.value is not None:
            target.value = target.value.newbyteorder(_text(state[1]))
            return
        _, shape, dtype, fortran, data = state
        raw = data.encode("latin-1") if isinstance(data, str) else data
        target.value = np.frombuffer(raw, dtype=dtype.value).reshape(shape, order="F" if fortran else "C")


def _text(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _finished(value: Any, made: dict[int, Any]) -> Any:
    """Replace arrays under construction by finished ones; `made` holds finished parts, which pickles share."""
    if isinstance(value, _Array):
        return value.value
    if not isinstance(value, dict | list):
        return value
    if id(value) in made:
        if made[id(value)] is MARK:
            raise ValueError("contains a list or dictionary that contains itself")
        return made[id(value)]
    made[id(value)] = MARK
    if isinstance(value, dict):
        made[id(value)] = {key: _finished(item, made) for key, item in value.items()}
    else:
        made[id(value)] = [_finished(item, made) for item in value]
    return made[id(value)]
