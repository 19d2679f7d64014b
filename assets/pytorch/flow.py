def read_safetensors(path):
    """The tensors of a safetensors file: eight bytes with the length of a header, the header, float32 values."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        values = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        flat = torch.frombuffer(values, dtype=torch.float32, count=(end - start) // 4, offset=start)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors


class LocalFlow(nn.Module):
    """The chain of sub-flows, from the data to the noise."""

    def __init__(self, folder="."):
        super().__init__()
        folder = Path(folder)
        self.config = json.loads((folder / "config.json").read_text())
        self.sub_flows = nn.ModuleList()
        for entry in self.config["sub_flows"]:
            network = make_network(self.config)
            network.load_state_dict(read_safetensors(folder / entry["file"]))
            self.sub_flows.append(network.eval())

    def told(self, n, cond=None, labels=None):
        """
        The numbers [n, C] that the networks take of a condition: cond [n, C] or one row for all, in the units of the data, or
        labels, one for all rows or one for each. None where there is none.
        """
        condition = self.config["condition"]
        given = {"columns": cond, "classes": labels}
        own = given.pop(condition["kind"]) if condition else None
        if any(value is not None for value in given.values()):
            raise ValueError("This model is told nothing of that kind.")
        if own is None:
            return None
        like = next(self.parameters())
        own = torch.as_tensor(own, device=like.device)
        if condition["kind"] == "classes":
            classes = torch.tensor(condition["classes"], device=like.device)
            rows = (own.reshape(-1, 1) == classes).to(like) * math.sqrt(len(classes))
            if not rows.any(1).all():
                raise ValueError(f"The classes are {condition['classes']}.")
        else:
            scaler = condition["scaler"]
            mean, std = (torch.tensor(scaler[key], dtype=torch.float64) for key in ("mean", "std"))
            rows = ((own.to(torch.float64).reshape(-1, len(mean)) - mean.to(own.device)) / std.to(own.device)).to(like)
            if condition["dropout"] > 0:
                rows = F.pad(rows, (0, 1), value=1.0)
        return rows.expand(n, -1)

    def end(self, logits):
        """The end of the path that a network predicts, where it gives logits of choices, and which columns those are."""
        segments = self.config["segments"]
        starts = segments["starts"]
        scale, centre = (torch.tensor(segments[key]).to(logits) for key in ("scale", "centre"))
        chosen = torch.zeros_like(logits[0], dtype=torch.bool)
        rows = logits.clone()
        for first, end in zip(starts, starts[1:]):
            if end - first > 1:
                chosen[first:end] = True
                rows[:, first:end] = scale[first:end] * (torch.softmax(logits[:, first:end], 1) - centre[first:end])
        return rows, chosen

    def velocity(self, stage, time, x, second_time=None, told=None, weight=1.0, of_end=None):
        """Of one sub-flow, with guidance: without a condition + weight (with it - without)."""
        first = [] if second_time is None else [x.new_full((len(x), 1), second_time)]

        def of(condition):
            extra = [*first, *([] if condition is None else [condition])]
            v = self.sub_flows[stage](time, x, torch.cat(extra, 1) if extra else None)
            if of_end is None:
                return v
            end, chosen = self.end(v)
            return torch.where(chosen, of_end["state"] * x + of_end["end"] * end, v)

        if told is None:
            return of(None)
        if weight == 1:
            return of(told)
        none = of(torch.zeros_like(told))
        return none + weight * (of(told) - none)

    @torch.no_grad()
    def decode(self, noise, cond=None, labels=None, guidance=None):
        """
        Noise [n, *row_shape] to data, by the evaluations that were exported. guidance: the weight w of classifier-free guidance,
        or one for each sub-flow from the data's side; default: what was exported.
        """
        y = noise.reshape(len(noise), -1)
        weights = self.config["sampler"]["guidance"] if guidance is None else guidance
        if not isinstance(weights, (list, tuple)):
            weights = [weights] * len(self.sub_flows)
        told = self.told(len(y), cond, labels)
        condition = self.config["condition"]
        fixed = condition and (condition["dropout"] == 0 or condition.get("guidance") is not None)
        if fixed and any(weight != 1 for weight in weights):
            raise ValueError("guidance needs a model that has learnt to go without its condition.")
        if condition and told is None and any(weight != 0 for weight in weights):
            raise ValueError(f"This model is told a condition: give {'labels' if 'classes' in condition else 'cond'}.")
        point = total = y
        for e in self.config["sampler"]["evaluations"]:
            x = e["place"] * point
            v = self.velocity(e["stage"], e["time"], x, e.get("secondTime"), told, weights[e["stage"]], e.get("ofEnd"))
            k = e["factor"] * v + e["own"] * x
            total = total + e["share"] * k
            if e["ends"]:
                y = point = total
                total = y + e["carry"] * k
            else:
                point = y + e["reach"] * k
        scaler = self.config["scaler"]
        if scaler:
            y = y * torch.tensor(scaler["std"]).to(y) + torch.tensor(scaler["mean"]).to(y)
        return y.reshape(noise.shape)

    def sample(self, n, generator=None, **told):
        """n samples in the units of the data, of what decode takes: cond or labels, and guidance."""
        like = next(self.parameters())
        noise = torch.randn(n, *self.config["row_shape"], generator=generator, dtype=like.dtype, device=like.device)
        return self.decode(noise, **told)


if __name__ == "__main__":
    flow = LocalFlow(Path(__file__).parent)
    condition = flow.config["condition"]
    if condition and condition["kind"] == "classes":
        print(flow.sample(5, labels=condition["classes"][0]))
    else:
        print(flow.sample(5, cond=condition["scaler"]["mean"] if condition else None))
