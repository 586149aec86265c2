package main

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// unleaked is the tests of this package with a look for goroutines behind them. The scripts' programs are processes of
// their own: what they start is seen by TestVerbsLeakNothing, which runs every verb inside this process.
type unleaked struct{ *testing.M }

func (u unleaked) Run() int {
	code := u.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
