"""Training of base models, and of the models that methods train for themselves.

Importing this package does not import torch; training a model does.
"""

from __future__ import annotations

from slicebench.models.training.objective import Objective, true_class_loss
from slicebench.models.training.recipe import Recipe
from slicebench.models.training.trainer import ModelTrainer, trainer_of

__all__ = ["ModelTrainer", "Objective", "Recipe", "trainer_of", "true_class_loss"]
