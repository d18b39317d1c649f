#!/bin/sh
echo "said $1 $WORD"
echo "count: 3" >&2
echo "word $1" > said.txt
mkdir -p deep
echo x > deep/x.bin
