"""Recognise tables and folders whose layout another tool sets: Hugging Face's imagefolder, samples of lm-evaluation-harness."""
