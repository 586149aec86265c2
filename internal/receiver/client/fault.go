package client

import (
	"errors"
	"net/http"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
)

// PageType is the content type of a page.
const PageType = "application/x-sluice-page"

// Codes of a Fault.
const (
	CodeForbidden = "forbidden"
	CodeNotFound  = "not_found"
	CodeNotHeld   = "not_held"
	CodeDamaged   = "damaged"
	CodeConfig    = "config"
	CodeLater     = "later"
	CodeInternal  = "internal"
)

// Fault is an error on its way from the receiver to its client.
type Fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// FaultOf describes an error of the inbox.
func FaultOf(err error) Fault {
	f := Fault{Code: CodeInternal, Message: err.Error()}
	var told *connector.Error
	if errors.As(err, &told) {
		f.Message, f.Fix = told.What, told.Fix
	}
	switch {
	case errors.Is(err, inbox.ErrNotFound):
		f.Code = CodeNotFound
	case errors.Is(err, inbox.ErrNotHeld):
		f.Code = CodeNotHeld
	case errors.Is(err, inbox.ErrDamaged):
		f.Code = CodeDamaged
	case connector.KindOf(err) == connector.KindConfig:
		f.Code = CodeConfig
	case connector.KindOf(err) == connector.KindTransient:
		f.Code = CodeLater
	}
	return f
}

// Status is the HTTP status for a fault.
func (f Fault) Status() int {
	switch f.Code {
	case CodeNotFound:
		return http.StatusNotFound
	case CodeNotHeld:
		return http.StatusConflict
	case CodeConfig:
		return http.StatusBadRequest
	case CodeLater:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// told is the message of a fault; sentinel, if not nil, is what it wraps without printing it twice.
type told struct {
	text     string
	sentinel error
}

func (t told) Error() string { return t.text }
func (t told) Unwrap() error { return t.sentinel }

// Err is the error that the inbox had, as far as callers tell errors apart.
func (f Fault) Err() error {
	switch f.Code {
	case CodeNotFound:
		return told{f.Message, inbox.ErrNotFound}
	case CodeNotHeld:
		return told{f.Message, inbox.ErrNotHeld}
	case CodeDamaged:
		return told{f.Message, inbox.ErrDamaged}
	case CodeForbidden:
		return connector.Configf("Set the token to the admin.token of that receiver", "the receiver refuses: %s", f.Message)
	case CodeConfig:
		return connector.Configf(f.Fix, "%s", f.Message)
	case CodeLater:
		return connector.Transientf(f.Fix, "%s", f.Message)
	}
	return connector.Internalf("Look into the log of the receiver", "the receiver failed: %s", f.Message)
}
