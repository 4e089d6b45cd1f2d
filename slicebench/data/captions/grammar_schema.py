"""Schema of caption grammar files, and the errors for files that break it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from slicebench.errors import did_you_mean
from slicebench.files.toml_documents import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator


SLOT = re.compile(r"\{([^{}]*)\}")
"""A slot in a template; its group is the name."""


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = [value for i, value in enumerate(values) if value in values[:i]]
    if twice:
        raise ValueError(f"holds {twice[0]!r} more than once")
    return values


def _word(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError("words cannot contain braces; only templates can")
    return text


def _template(text: str) -> str:
    if not text.strip() or set(SLOT.sub("", text)) & set("{}"):
        raise ValueError("expected text with slots in braces, such as 'a photo of a {noun}'")
    return text


def _slot_name(name: str) -> str:
    if name == "class" or not re.fullmatch(r"[a-z][a-z_]*", name):
        raise ValueError(
            "a slot's name has only lower-case letters and '_'; it cannot be 'class', which means the class's name"
        )
    return name


Slot = Annotated[str, AfterValidator(_slot_name)]
Template = Annotated[str, AfterValidator(_template)]
Words = Annotated[tuple[Annotated[str, AfterValidator(_word)], ...], Field(min_length=1), AfterValidator(_distinct)]


class Grammar(BaseModel):
    """Content of a caption grammar file; the rules are in `slicebench.data.captions.grammar`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    source: str
    templates: Annotated[tuple[Template, ...], Field(min_length=1), AfterValidator(_distinct)]
    reference: Template
    slots: dict[Slot, Words] = {}
    classes: dict[str, dict[Slot, Words]] = {}
    wordnet: dict[Slot, dict[str, str]] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for fault in (*self._clashes(), *self._unfilled(), *self._idle()):
            raise ValueError(fault)
        return self

    def _used(self) -> list[str]:
        """Return the slots of templates and reference, in order."""
        return list(dict.fromkeys(slot for text in (*self.templates, self.reference) for slot in SLOT.findall(text)))

    def defined(self) -> list[str]:
        """Return the slots that have words somewhere."""
        return list(dict.fromkeys([*self.slots, *(s for own in self.classes.values() for s in own), *self.wordnet]))

    def _clashes(self) -> Iterator[str]:
        keys = [plain(name) for name in self.classes]
        for i, (name, own) in enumerate(self.classes.items()):
            if keys[i] in keys[:i]:
                yield f"classes.{name}: the same class as classes.{list(self.classes)[keys.index(keys[i])]}"
            for slot, words in own.items():
                twice = [word for word in words if word in self.slots.get(slot, ())]
                if twice:
                    yield f"classes.{name}.{slot}: repeats {twice[0]!r} of slots.{slot}, which every class has"
        for slot, synsets in self.wordnet.items():
            for name in synsets:
                if name not in self.classes:
                    yield f"wordnet.{slot}.{name}: no such class; {did_you_mean(name, list(self.classes))}"

    def _unfilled(self) -> Iterator[str]:
        """Yield an error for each used slot that has no words in some class."""
        for slot in self._used():
            if slot == "class" or slot in self.slots:
                continue
            if slot not in self.defined():
                yield f"{{{slot}}} in a template is not a slot; {did_you_mean(slot, [*self.defined(), 'class'])}"
            for name, own in self.classes.items():
                if slot not in own and name not in self.wordnet.get(slot, {}):
                    yield f"classes.{name}.{slot}: missing; templates use {{{slot}}}, which has no words in slots.{slot}"

    def _idle(self) -> Iterator[str]:
        for slot in self.defined():
            if slot not in self._used():
                yield f"no template uses the slot {slot!r}; write {{{slot}}} where its words belong"


def parse_grammar(text: str, where: str) -> Grammar:
    """Parse a grammar from TOML text; `where` names the file in errors."""
    return parsed(Grammar, text, where, "caption set", lambda _: list(Grammar.model_fields))


def plain(name: str) -> str:
    """Return the form of a class name that is used to compare classes.

    >>> plain("Aquatic_mammals")
    'aquatic mammals'
    """
    return " ".join(name.replace("_", " ").lower().split())
