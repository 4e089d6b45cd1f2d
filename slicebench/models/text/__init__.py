"""Base models that lie in a folder as Hugging Face's transformers saves them: text classifiers, readers of answer spans."""

from __future__ import annotations

from slicebench.models.text.classifier import TextClassifier
from slicebench.models.text.span_reader import SpanReader

__all__ = ["SpanReader", "TextClassifier"]
