//go:build !race

package socialepoch_test

// underRace says whether the race detector is built in.
const underRace = false
