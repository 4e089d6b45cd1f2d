"""Base models that lie in a folder as Hugging Face's transformers saves them: text classifiers, readers of answer spans."""

from slicebench.huggingface.classifier import TextClassifier
from slicebench.huggingface.reader import SpanReader

__all__ = ["SpanReader", "TextClassifier"]
