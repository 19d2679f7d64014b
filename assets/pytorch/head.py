"""A Local Flow in PyTorch, from the files beside this one: `LocalFlow(folder).sample(1000)`. Written by local-flow-matching."""

import json
import math
import struct
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
