"""Base models in folders that Hugging Face's transformers saved: text classifiers and span readers."""

from __future__ import annotations

from slicebench.models.text.classifier import TextClassifier
from slicebench.models.text.span_reader import SpanReader

__all__ = ["SpanReader", "TextClassifier"]
