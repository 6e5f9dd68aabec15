#!/bin/sh
# A scripted agent for tests, to be run as an agent's command: `agent.sh SCENARIO [ARGUMENT…]`.
#
#   write FILE TEXT          writes TEXT, says it is done
#   nth FILE TEXT…           writes the first TEXT in iteration 1, the second in 2, …; the last one from then on
#   obey FILE                writes what the prompt says after `expected: `; `?` if it says nothing
#   nothing                  changes nothing and says it is done
#   fail FILE TEXT           writes TEXT and ends with an error
#   crash N SCENARIO…        is killed in the first N iterations, then plays SCENARIO
#   stall                    says one line, then nothing
#   talk                     talks without end
#   stubborn                 ignores SIGTERM, and so does its child; prints the child's process id
#   orphan SCENARIO…         leaves a child in the background, prints its process id, plays SCENARIO
#   litter                   leaves what must not be committed
#   commit FILE TEXT         writes TEXT and commits it, though it was told not to

set -eu
scenario=$1
shift
case $scenario in
write)
	printf '%s\n' "$2" >"$1"
	echo '<promise>DONE</promise>'
	;;
nth)
	file=$1
	shift
	n=${ORCH_ITERATION:-1}
	while [ "$n" -gt 1 ] && [ $# -gt 1 ]; do
		shift
		n=$((n - 1))
	done
	printf '%s\n' "$1" >"$file"
	;;
obey)
	wanted=$(sed -n 's/.*expected: //p' | head -n 1)
	printf '%s\n' "${wanted:-?}" >"$1"
	;;
nothing)
	echo '<promise>DONE</promise>'
	;;
fail)
	printf '%s\n' "$2" >"$1"
	exit 1
	;;
crash)
	times=$1
	shift
	[ "${ORCH_ITERATION:-1}" -gt "$times" ] || kill -9 $$
	exec sh "$0" "$@"
	;;
stall)
	echo 'thinking'
	exec sleep 600
	;;
talk)
	exec yes 'and another thing'
	;;
stubborn)
	trap '' TERM INT HUP
	sleep 600 &
	echo $!
	while :; do wait $! || :; done
	;;
orphan)
	sleep 600 &
	echo $!
	exec sh "$0" "$@"
	;;
litter)
	echo 'TOKEN=1' >.env
	mkdir -p node_modules/p
	echo x >node_modules/p/index.js
	ln -s /etc/hostname link-out
	mkfifo pipe
	;;
commit)
	printf '%s\n' "$2" >"$1"
	git add "$1"
	git commit -q -m 'an agent committed this'
	;;
*)
	echo "agent.sh: no scenario $scenario" >&2
	exit 2
	;;
esac
