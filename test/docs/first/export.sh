# A run of the demo's config.
lfm train examples/demo.yaml --out runs/demo
