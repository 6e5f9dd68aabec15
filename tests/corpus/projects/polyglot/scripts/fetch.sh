#!/bin/sh
# Brings the readings of a station.
set -eu
station=$1
cat "readings/$station"
