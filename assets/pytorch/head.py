"""A Local Flow in PyTorch, from the files beside this one: `LocalFlow(folder).sample(1000)`. Written by local-flow-matching."""

import json
import math
import struct
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F


def beside(x, extra, width):
    """What a network takes beside x, [n, width]; zeros where nothing is given."""
    return x.new_zeros(len(x), width) if extra is None else extra.to(x)
