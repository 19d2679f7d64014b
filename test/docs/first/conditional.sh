awk 'BEGIN {
  srand(1); print "height,speed,wind"
  for (i = 0; i < 3000; i++) { w = 10 * rand(); print 0.2 * w + 0.4 * (rand() - rand()) "," w + rand() - rand() "," w }
}' > waves.csv
cat > waves.yaml <<'YAML'
data:
  kind: csv
  path: waves.csv
  condition: [wind]
model:
  hidden: [64, 64]
train:
  batch: 256
YAML
