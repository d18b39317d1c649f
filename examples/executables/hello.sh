#!/bin/sh
echo "hello from $RUN_DIR" | sed 's#/.*/#.../#'
echo "name is $FLAG_NAME"
