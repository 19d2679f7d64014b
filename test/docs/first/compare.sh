# Two configs of the same data.
for i in a:0.1 b:0.2; do
  cat >"${i%%:*}.yaml" <<YAML
data: { kind: toy, name: moons, train: 500, validation: 100, test: 100 }
model: { hidden: [8] }
flow: { gammas: [${i##*:}, null] }
train: { steps: 5, batch: 50 }
YAML
done
