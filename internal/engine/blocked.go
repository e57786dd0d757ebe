package engine

import (
	"errors"
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// blocked takes out the sites where the rules refuse probes.
func (p *planner) blocked(pl *planned, where *locate.Result) {
	sites := where.Sites[:0:0]
	for _, s := range where.Sites {
		if rule, refused := p.redact.RefusesFunction(s.Function); refused {
			pl.issue(probe.IssueRefusedCode, fmt.Sprintf("%s: the rules of --redact block the %s, so it takes no probe", s.Function, rule))
			continue
		}
		sites = append(sites, s)
	}
	where.Sites = sites
}

// untold takes secrets out of an error that quotes what was asked.
func (p *planner) untold(err error) error {
	var mistake *expr.Error
	if errors.As(err, &mistake) {
		src := mistake.Src
		mistake.Msg, mistake.Hint = p.redact.Told(src, mistake.Msg), p.redact.Told(src, mistake.Hint)
		mistake.Src = p.redact.Source(src)
	}
	return err
}

// told is a text about a probe's expressions without the secrets in them.
func (p *planner) told(spec probe.Spec, text string) string {
	return p.redact.Told(spec.Message, p.redact.Told(spec.If, text))
}
