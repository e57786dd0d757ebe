//go:build linux && amd64

package inject

func (p *Proc) checkSeccomp() error { return nil }
