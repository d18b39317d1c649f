# sh count.sh --pattern PATTERN
echo "lines: $(cat $2 | wc -l | tr -d ' ')"
