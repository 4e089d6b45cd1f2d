"""Candidate captions: texts per class, grammars that expand to them, concepts they name."""

from __future__ import annotations

from slicebench.data.captions.caption_set import CaptionSet

__all__ = ["CaptionSet"]
