package jit

import (
	"errors"

	"github.com/sidelight-dev/sidelight/internal/program"
)

type record struct{ most int64 }

func newRecord(s *program.Site) record { return record{} }

func full(env Env, s *program.Site, live Live, at uint64) (Code, error) {
	return Code{}, errors.New("not yet")
}
