"""Everything that needs torch: training, encoders, text models, image synthesis, sparse layers.

Decisions
- Encoders, decoders and generators are plugins too; a name may carry an argument ("open_clip:ViT-B-32/openai").
- Embeddings of encoders with weights are cached by content, and rounded to half precision whether they come from the cache or
  not. Trained models are cached by recipe, data, options and torch version; a cell that finds its model there is charged with
  the seconds that the training took.
- Weights are read whole or not at all. No code in a file is run, and missing weights are never random.
- `devices` alone decides where torch computes. A GPU that is asked for and absent is an error.
- A base model may read embeddings (`Recipe.features`). Texts are classified that way, and a frozen problem without raw inputs
  is then complete.
- nano-clip ships because captions need a space that has seen every combination of attributes (docs/how-to/captions.md).
- Each sparse layer comes with its duality gap, a proven bound on its distance from the optimum.
"""
