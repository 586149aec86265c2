package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind says what an error asks of the reader of the message. What befalls one row is a Verdict, not an error.
type Kind uint8

const (
	KindNone      Kind = iota
	KindConfig         // a person must change the configuration; a retry is pointless
	KindTransient      // the same run may pass later
	KindThrottled      // the vendor asked for fewer calls, longer than we wait
	KindInternal       // a defect, or input that its host must never send
)

func (k Kind) String() string {
	names := [...]string{"none", "config", "transient", "throttled", "internal"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Error is an error that a person reads: what happened, and what to do about it.
type Error struct {
	Kind Kind
	What string // one sentence without final stop: what happened
	Fix  string // one sentence without final stop: what to do; may be empty
	Err  error  // the cause, for logs; may be nil
}

func (e *Error) Error() string {
	s := e.What
	if e.Err != nil {
		if cause := e.Err.Error(); cause != "" {
			s += ": " + cause
		}
	}
	if e.Fix != "" {
		s += ". " + e.Fix
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Configf makes a Config error: what happened (may hold verbs for args) and the fix.
func Configf(fix, what string, args ...any) error { return newError(KindConfig, fix, what, args) }

// OneOf makes a Config error unless got, the value of a field, is one of those wanted.
func OneOf(field, got string, want ...string) error {
	if slices.Contains(want, got) {
		return nil
	}
	return Configf("Use one of "+strings.Join(want, ", "), "%s is %q", field, got)
}

// Transientf makes a Transient error.
func Transientf(fix, what string, args ...any) error { return newError(KindTransient, fix, what, args) }

// Internalf makes an Internal error.
func Internalf(fix, what string, args ...any) error { return newError(KindInternal, fix, what, args) }

func newError(k Kind, fix, what string, args []any) error {
	err := fmt.Errorf(what, args...)
	return &Error{Kind: k, What: err.Error(), Fix: fix, Err: causeOf(err)}
}

// causeOf keeps the chain of a %w without printing its text twice.
func causeOf(err error) error {
	cause := errors.Unwrap(err)
	if cause == nil {
		return nil
	}
	return silent{cause}
}

// silent keeps errors.Is and errors.As working while its own text is already part of Error.What.
type silent struct{ err error }

func (s silent) Error() string { return "" }
func (s silent) Unwrap() error { return s.err }

// joined are the errors that err is made of, if it is no *Error and made of several.
func joined(err error) []error {
	for err != nil {
		switch x := err.(type) { //nolint:errorlint // it walks the chain itself
		case *Error:
			return nil
		case interface{ Unwrap() []error }:
			return x.Unwrap()
		}
		err = errors.Unwrap(err)
	}
	return nil
}

// KindOf returns the kind of the first *Error in err's chain; KindNone for nil, KindTransient for a cancelled or expired
// context, KindInternal for everything else. Of joined errors it is KindConfig if any of them is: to try again mends
// nothing then.
func KindOf(err error) Kind {
	if err == nil {
		return KindNone
	}
	var e *Error
	if errors.As(err, &e) {
		if e.Kind != KindConfig && slices.ContainsFunc(joined(err), func(err error) bool { return KindOf(err) == KindConfig }) {
			return KindConfig
		}
		return e.Kind
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return KindTransient
	}
	return KindInternal
}
