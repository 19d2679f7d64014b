# What a reader of the README has: points to score.
printf 'x,y\n0,0\n1,1\n' >points.csv
