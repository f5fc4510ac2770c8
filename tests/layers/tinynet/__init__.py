from .base import Layer, Parameter
from .layers import BatchNorm, Dense

__all__ = ["BatchNorm", "Dense", "Layer", "Parameter"]
