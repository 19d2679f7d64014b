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

    @torch.no_grad()
    def decode(self, noise):
        """Noise [n, *row_shape] to data, by the evaluations that were exported."""
        y = noise.reshape(len(noise), -1)
        point = total = y
        for e in self.config["sampler"]["evaluations"]:
            x = e["place"] * point
            k = e["factor"] * self.sub_flows[e["stage"]](e["time"], x) + e["own"] * x
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

    def sample(self, n, generator=None):
        """n samples in the units of the data."""
        like = next(self.parameters())
        noise = torch.randn(n, *self.config["row_shape"], generator=generator, dtype=like.dtype, device=like.device)
        return self.decode(noise)


if __name__ == "__main__":
    print(LocalFlow(Path(__file__).parent).sample(5))
