package airbyte

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"strings"
)

// handler is a slog.Handler that writes LOG messages: the text, then its attributes as key=value. No secret passes it.
type handler struct {
	out    *output
	mask   *masker
	level  slog.Level
	prefix string // of the attributes' keys, by WithGroup
	attrs  string // by WithAttrs
}

func newHandler(out *output, mask *masker) *handler {
	h := &handler{out: out, mask: mask, level: slog.LevelInfo}
	if strings.EqualFold(os.Getenv("LOG_LEVEL"), "debug") {
		h.level = slog.LevelDebug
	}
	return h
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	var text strings.Builder
	text.WriteString(r.Message)
	text.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		h.appendAttr(&text, h.prefix, a)
		return true
	})
	h.out.sendLog(levelName(r.Level), h.mask.hide(text.String()))
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var text strings.Builder
	text.WriteString(h.attrs)
	for _, a := range attrs {
		h.appendAttr(&text, h.prefix, a)
	}
	c := *h
	c.attrs = text.String()
	return &c
}

func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.prefix += name + "."
	}
	return &c
}

// appendAttr hides secrets before it quotes: a value quoted twice, say an error that quotes JSON, hides its own text.
func (h *handler) appendAttr(text *strings.Builder, prefix string, a slog.Attr) {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range value.Group() {
			h.appendAttr(text, prefix, member)
		}
		return
	}
	if a.Equal(slog.Attr{}) {
		return
	}
	s := h.mask.hide(value.String())
	if s == "" || strings.ContainsAny(s, " =\"\n\t") {
		s = strconv.Quote(s)
	}
	text.WriteString(" " + prefix + a.Key + "=" + s)
}

func levelName(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "ERROR"
	case l >= slog.LevelWarn:
		return "WARN"
	case l >= slog.LevelInfo:
		return "INFO"
	}
	return "DEBUG"
}
