"""The UNet of the bench in PyTorch: guided-diffusion's modules under guided-diffusion's names, so that the library's own
tensors load into it (src/networks/unet/unet.ts). Plain changes of size and the time as a shift only.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    def __init__(self, spec, channels, outputs):
        super().__init__()
        groups = spec["groups"]
        self.in_layers = nn.Sequential(
            nn.GroupNorm(groups, channels), nn.SiLU(), nn.Conv2d(channels, outputs, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(4 * spec["width"], outputs))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(groups, outputs),
            nn.SiLU(),
            nn.Dropout(spec["dropout"]),
            zeroed(nn.Conv2d(outputs, outputs, 3, padding=1)),
        )
        self.skip_connection = nn.Identity() if channels == outputs else nn.Conv2d(channels, outputs, 1)

    def forward(self, x, embedded):
        h = self.in_layers(x) + self.emb_layers(embedded)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class Attention(nn.Module):
    """Head after head, within a head q, k and v."""

    def __init__(self, spec, channels):
        super().__init__()
        self.heads = channels // spec["headChannels"]
        self.norm = nn.GroupNorm(spec["groups"], channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x, _):
        batch, channels, height, breadth = x.shape
        d = channels // self.heads
        x = x.reshape(batch, channels, -1)
        q, k, v = self.qkv(self.norm(x)).reshape(batch * self.heads, 3 * d, -1).split(d, dim=1)
        if hasattr(F, "scaled_dot_product_attention"):
            mixed = F.scaled_dot_product_attention(*(part.transpose(1, 2) for part in (q, k, v))).transpose(1, 2)
        else:
            p = torch.softmax(torch.bmm((q / math.sqrt(d)).transpose(1, 2), k), dim=-1)
            mixed = torch.bmm(v, p.transpose(1, 2))
        return (x + self.proj_out(mixed.reshape(batch, channels, -1))).reshape(batch, channels, height, breadth)


class Down(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x, _):
        return self.op(x)


class Up(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x, _):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class First(nn.Conv2d):
    def forward(self, x, _):
        return super().forward(x)


def zeroed(module):
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


class UNet(nn.Module):
    def __init__(self, spec):
        super().__init__()
        if spec["scaleShift"] or spec["residualResampling"]:
            raise ValueError("plain UNets only")
        width, depth, multipliers = spec["width"], spec["depth"], spec["multipliers"]
        levels = len(multipliers)
        height = spec["height"]
        self.width = width
        self.time_embed = nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width))

        def attention(channels):
            return [Attention(spec, channels)] if height in spec["attention"] else []

        channels = width * multipliers[0]
        self.input_blocks = nn.ModuleList([nn.ModuleList([First(spec["channels"], channels, 3, padding=1)])])
        skips = [channels]
        for level, multiplier in enumerate(multipliers):
            for _ in range(depth):
                outputs = width * multiplier
                block = [ResidualBlock(spec, channels, outputs), *attention(outputs)]
                self.input_blocks.append(nn.ModuleList(block))
                channels = outputs
                skips.append(channels)
            if level < levels - 1:
                self.input_blocks.append(nn.ModuleList([Down(channels)]))
                skips.append(channels)
                height //= 2
        self.middle_block = nn.ModuleList(
            [
                ResidualBlock(spec, channels, channels),
                Attention(spec, channels),
                ResidualBlock(spec, channels, channels),
            ]
        )
        self.output_blocks = nn.ModuleList()
        for level in reversed(range(levels)):
            for i in range(depth + 1):
                outputs = width * multipliers[level]
                block = [ResidualBlock(spec, channels + skips.pop(), outputs), *attention(outputs)]
                if level > 0 and i == depth:
                    block.append(Up(outputs))
                    height *= 2
                self.output_blocks.append(nn.ModuleList(block))
                channels = outputs
        self.out = nn.Sequential(
            nn.GroupNorm(spec["groups"], channels),
            nn.SiLU(),
            zeroed(nn.Conv2d(channels, spec["channels"], 3, padding=1)),
        )
        frequencies = torch.exp(-math.log(10_000) * torch.arange(width // 2) / (width // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, x, t):
        """x [B, C, H, W], t [B]."""
        angles = t[:, None] * self.frequencies
        embedded = self.time_embed(torch.cat([torch.cos(angles), torch.sin(angles)], 1))
        skips = []
        h = x
        for block in self.input_blocks:
            for module in block:
                h = module(h, embedded)
            skips.append(h)
        for module in self.middle_block:
            h = module(h, embedded)
        for block in self.output_blocks:
            h = torch.cat([h, skips.pop()], 1)
            for module in block:
                h = module(h, embedded)
        return self.out(h)
