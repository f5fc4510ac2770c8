from .dense import Dense
from .norm import BatchNorm, LayerNorm
