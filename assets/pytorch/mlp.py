class CNF(nn.Module):
    """v(t, x, extra) of one sub-flow: Linear layers with the time as the first column of the input, named as in the official code."""

    def __init__(self, model, dimension):
        super().__init__()
        self.extra = model["condition"]
        self.every = model["time"] == "every"
        self.told = self.extra if model.get("conditionAt") == "every" and not model["secondTime"] else 0
        self.frequencies = model["fourier"]
        beta = model["beta"]
        self.act = {
            "relu": F.relu,
            "elu": F.elu,
            "softplus": lambda z: F.softplus(z, beta=beta),
            "silu": F.silu,
            "gelu": F.gelu,
            "tanh": torch.tanh,
        }[model["activation"]]
        widths = [dimension * (1 + 2 * len(self.frequencies)) + self.extra, *model["hidden"], dimension]
        self.net = nn.ModuleList(
            nn.Linear(inputs + (1 if i == 0 or self.every else 0) + self.told * (0 < i < len(widths) - 2), outputs)
            for i, (inputs, outputs) in enumerate(zip(widths, widths[1:]))
        )

    def forward(self, t, x, extra=None):
        """t a number or [n], x [n, D], extra [n, C] where the network takes more: a second time, and what rows are told."""
        t = torch.as_tensor(t, dtype=x.dtype, device=x.device).reshape(-1, 1).expand(len(x), 1)
        given = beside(x, extra, self.extra)
        h = torch.cat([x, given, *(wave(f * x) for f in self.frequencies for wave in (torch.sin, torch.cos))], 1)
        for i, layer in enumerate(self.net):
            h = torch.cat([t, h], 1) if i == 0 or self.every else h
            h = layer(torch.cat([h, given], 1) if self.told and 0 < i < len(self.net) - 1 else h)
            if i < len(self.net) - 1:
                h = self.act(h)
        return h


def make_network(config):
    return CNF(config["model"], math.prod(config["row_shape"]))
