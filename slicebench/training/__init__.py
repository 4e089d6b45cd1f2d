"""Training of base models, and of the models that methods train for themselves.

Importing this package does not import torch; training a model does.
"""

from slicebench.training.objective import Objective
from slicebench.training.recipe import Recipe
from slicebench.training.scores import true_class_loss
from slicebench.training.trainer import ModelTrainer

__all__ = ["ModelTrainer", "Objective", "Recipe", "true_class_loss"]
