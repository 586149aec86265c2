package infer

import (
	"regexp"
	"sync"
)

// form is a regular expression that is compiled when something is first held against it: most runs of a program that can
// infer do not.
type form struct {
	text string
	once sync.Once
	re   *regexp.Regexp
}

func newForm(text string) *form { return &form{text: text} }

func (f *form) get() *regexp.Regexp {
	f.once.Do(func() { f.re = regexp.MustCompile(f.text) })
	return f.re
}

func (f *form) MatchString(s string) bool { return f.get().MatchString(s) }
