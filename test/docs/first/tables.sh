# A config, and tables as they come: packed, with tabs.
cat >table.yaml <<'YAML'
data: { kind: csv, path: table.csv }
model: { hidden: [8] }
flow: { gammas: [0.2, null] }
train: { batch: 50 }
YAML
{
  echo a,b
  for i in $(seq 200); do echo "$i,$((i * i % 97))"; done
} >rows.csv
tr , '\t' <rows.csv >new.tsv
gzip rows.csv
cp rows.csv.gz table.csv.gz
