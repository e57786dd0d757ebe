package redact

// What the tests of the outputs feed through them.
var (
	DefaultNames = defaultNames
	PatternCases = func() (out [][2]string) {
		for _, c := range patternCases {
			out = append(out, [2]string{c.rule, c.text})
		}
		return out
	}()
)
