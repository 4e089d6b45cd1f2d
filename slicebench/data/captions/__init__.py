"""Candidate captions: sets of texts per class, the grammars that expand to them, and which texts name which concepts."""

from __future__ import annotations

from slicebench.data.captions.caption_set import CaptionSet

__all__ = ["CaptionSet"]
