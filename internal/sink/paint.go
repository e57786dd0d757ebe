package sink

// Paint puts ANSI colours around text, or none where it is false. It uses the
// sixteen colours that every terminal lets its user choose.
type Paint bool

// Bold marks what a line is about.
func (p Paint) Bold(s string) string { return p.wrap("1", s) }

// Dim marks what a reader may skip.
func (p Paint) Dim(s string) string { return p.wrap("2", s) }

// Place marks a location.
func (p Paint) Place(s string) string { return p.wrap("36", s) }

// Good marks what went well.
func (p Paint) Good(s string) string { return p.wrap("32", s) }

// Warn marks what a reader should see.
func (p Paint) Warn(s string) string { return p.wrap("33", s) }

// Bad marks an error.
func (p Paint) Bad(s string) string { return p.wrap("1;31", s) }

func (p Paint) wrap(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
