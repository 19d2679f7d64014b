def of_sequences(model):
    """Whether rows are sequences [steps, channels], which a unet1d convolves along their steps; else they are pictures."""
    return model["kind"] == "unet1d"


def convolution(model, channels, outputs, kernel, stride=1):
    kind = nn.Conv1d if of_sequences(model) else nn.Conv2d
    return kind(channels, outputs, kernel, stride=stride, padding=kernel // 2)


class ResidualBlock(nn.Module):
    """Modules under the names of guided-diffusion, as all of them here."""

    def __init__(self, model, channels, outputs, resample=None):
        super().__init__()
        groups, width, kernel = model["groups"], model["width"], model.get("kernel", 3)
        conditional = model["condition"] > (1 if model["secondTime"] else 0)
        self.resample, self.scale_shift = resample, of_sequences(model) or model["scaleShift"] or conditional
        self.in_layers = nn.Sequential(
            nn.GroupNorm(groups, channels), nn.SiLU(), convolution(model, channels, outputs, kernel)
        )
        columns = 2 * outputs if self.scale_shift else outputs
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(4 * width, columns))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(groups, outputs),
            nn.SiLU(),
            nn.Dropout(model["dropout"]),
            convolution(model, outputs, outputs, kernel),
        )
        self.skip_connection = nn.Identity() if channels == outputs else convolution(model, channels, outputs, 1)

    def resized(self, x):
        if self.resample == "down":
            return F.avg_pool2d(x, 2)
        return F.interpolate(x, scale_factor=2, mode="nearest") if self.resample == "up" else x

    def forward(self, x, embedded):
        norm, act, conv = self.in_layers
        h = conv(self.resized(act(norm(x))))
        e = self.emb_layers(embedded)
        e = e.reshape(*e.shape, *[1] * (h.dim() - 2))
        if self.scale_shift:
            scale, shift = e.chunk(2, dim=1)
            h = self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)
        else:
            h = self.out_layers(h + e)
        return self.skip_connection(self.resized(x)) + h


class Attention(nn.Module):
    """Head after head, and within a head q, k and v."""

    def __init__(self, model, channels):
        super().__init__()
        self.heads = channels // model["headChannels"]
        self.norm = nn.GroupNorm(model["groups"], channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x, _):
        n, channels, height, breadth = x.shape
        d = channels // self.heads
        x = x.reshape(n, channels, -1)
        q, k, v = self.qkv(self.norm(x)).reshape(n * self.heads, 3 * d, -1).split(d, dim=1)
        p = torch.softmax(torch.bmm((q / math.sqrt(d)).transpose(1, 2), k), dim=-1)
        mixed = torch.bmm(v, p.transpose(1, 2)).reshape(n, channels, -1)
        return (x + self.proj_out(mixed)).reshape(n, channels, height, breadth)


class Down(nn.Module):
    def __init__(self, model, channels):
        super().__init__()
        self.op = convolution(model, channels, channels, 3, stride=2)

    def forward(self, x, _):
        return self.op(x)


class Up(nn.Module):
    def __init__(self, model, channels):
        super().__init__()
        self.conv = convolution(model, channels, channels, 3)

    def forward(self, x, _):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class First(nn.Conv2d):
    def forward(self, x, _):
        return super().forward(x)


class FirstOfSequences(nn.Conv1d):
    def forward(self, x, _):
        return super().forward(x)


class UNet(nn.Module):
    """v(t, x, extra) of one sub-flow."""

    def __init__(self, model, row_shape):
        super().__init__()
        self.row_shape = row_shape
        self.sequences = of_sequences(model)
        pictured, height = (row_shape[1], None) if self.sequences else row_shape[:2]
        kernel = model.get("kernel", 3)
        width, depth, multipliers = model["width"], model["depth"], model["multipliers"]
        last = len(multipliers) - 1
        half = width // 2
        self.odd = width % 2
        self.extra, self.second_time = model["condition"], model["secondTime"]
        inputs = width + (width + self.extra - 1 if self.second_time else self.extra)
        self.time_embed = nn.Sequential(nn.Linear(inputs, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width))
        self.register_buffer("frequencies", 10_000 ** (-torch.arange(half) / half), persistent=False)

        def step(block, channels):
            return nn.ModuleList([block, *([Attention(model, channels)] if height in model.get("attention", []) else [])])

        def resample(kind, channels):
            if model.get("residualResampling"):
                return ResidualBlock(model, channels, channels, kind)
            return Down(model, channels) if kind == "down" else Up(model, channels)

        channels = width * multipliers[0]
        first = (FirstOfSequences if self.sequences else First)(pictured, channels, kernel, padding=kernel // 2)
        self.input_blocks = nn.ModuleList([nn.ModuleList([first])])
        skips = [channels]
        for level, multiplier in enumerate(multipliers):
            for _ in range(depth):
                outputs = width * multiplier
                self.input_blocks.append(step(ResidualBlock(model, channels, outputs), outputs))
                channels = outputs
                skips.append(channels)
            if level < last:
                self.input_blocks.append(nn.ModuleList([resample("down", channels)]))
                skips.append(channels)
                height = height and height // 2
        middle = [ResidualBlock(model, channels, channels) for _ in range(2)]
        if not self.sequences:
            middle.insert(1, Attention(model, channels))
        self.middle_block = nn.ModuleList(middle)
        self.output_blocks = nn.ModuleList()
        for level in reversed(range(last + 1)):
            outputs = width * multipliers[level]
            for i in range(depth + 1):
                block = step(ResidualBlock(model, channels + skips.pop(), outputs), outputs)
                if level > 0 and i == depth:
                    block.append(resample("up", outputs))
                    height = height and height * 2
                self.output_blocks.append(block)
                channels = outputs
        self.out = nn.Sequential(
            nn.GroupNorm(model["groups"], channels), nn.SiLU(), convolution(model, channels, pictured, kernel)
        )

    def waves(self, t):
        angles = t * self.frequencies
        return F.pad(torch.cat([torch.cos(angles), torch.sin(angles)], 1), (0, self.odd))

    def forward(self, t, x, extra=None):
        """t a number or [n], x [n, D], extra [n, C] where the network takes more: a second time, and what rows are told."""
        t = torch.as_tensor(t, dtype=x.dtype, device=x.device).reshape(-1, 1).expand(len(x), 1)
        given = beside(x, extra, self.extra)
        if self.second_time:
            given = torch.cat([self.waves(given[:, :1]), given[:, 1:]], 1)
        embedded = self.time_embed(torch.cat([self.waves(t), given], 1))
        h = x.reshape(len(x), *self.row_shape)
        h = h.transpose(1, 2) if self.sequences else h
        skips = []
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
        h = self.out(h)
        return (h.transpose(1, 2) if self.sequences else h).reshape(len(x), -1)


def make_network(config):
    return UNet(config["model"], config["row_shape"])
