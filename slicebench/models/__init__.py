"""Everything that needs torch: training, encoders, text models, image synthesis, sparse layers.

Decisions
- Encoders, decoders and generators are plugins too; a name may carry an argument ("open_clip:ViT-B-32/openai").
- Embeddings of encoders with weights are cached by content, and rounded to half precision whether they come from the cache or
  not. Trained models are cached by recipe, data, options and torch version; a cell that finds its model there is charged with
  the seconds that the training took.
- Weights are read whole or not at all: safetensors only, no code, no random stand-ins for what is missing.
- `devices` alone decides where torch computes. A GPU that is asked for and absent is an error.
- A base model may read embeddings (`Recipe.features`). Texts are classified that way, and a frozen problem without raw inputs
  is then complete.
- nano-clip ships because captions need a space that has seen every combination of attributes; docs/captions.md has the story.
- Sparse layers come with a certificate: a duality gap, so that no tolerance has to be trusted.
"""
