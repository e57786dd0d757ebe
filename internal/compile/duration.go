package compile

import (
	"go/constant"
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// durationType is time.Duration, also in a build that does not use it.
func (s *site) durationType() *program.Type {
	if t := s.b.TypeByName("time.Duration"); t != nil {
		return t
	}
	return typeDuration
}

var typeDuration = &program.Type{Name: "time.Duration", Kind: reflect.Int64, Size: 8, Typed: true}

// durationLit is a literal such as 50ms.
func (c *checker) durationLit(n *expr.Duration) *operand {
	return &operand{node: n, typ: c.s.durationType(), val: constant.MakeInt64(int64(n.Value))}
}

// duration is $duration, which only the end of a call knows.
func (c *checker) duration(n *expr.Special) (*operand, error) {
	if !c.s.ends {
		return nil, c.fail(n, "sidelight time knows it, in its --if", "$duration is not known here")
	}
	return &operand{node: n, typ: c.s.durationType(), place: computed{0: {Op: program.OpDuration, Type: program.I64}}}, nil
}
