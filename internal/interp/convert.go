package interp

import (
	"math"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Convert is the value x of type from as Go converts it to type to. A float that
// does not fit an integer gives what Go's compiler makes of it on amd64: the
// least integer of the width that the hardware converts to, then cut.
func Convert(from, to program.Scalar, x uint64) uint64 {
	switch {
	case from.Float() && to.Float():
		if from == to {
			return x
		}
		return floatBits(to, value64(from, x))
	case from.Float():
		return Canon(to, truncate(to, value64(from, x)))
	case to == program.F32 && from.Signed():
		return uint64(math.Float32bits(float32(int64(x))))
	case to == program.F32:
		return uint64(math.Float32bits(float32(x)))
	case to == program.F64 && from.Signed():
		return math.Float64bits(float64(int64(x)))
	case to == program.F64:
		return math.Float64bits(float64(x))
	}
	return Canon(to, x)
}

func floatBits(t program.Scalar, v float64) uint64 {
	if t == program.F32 {
		return uint64(math.Float32bits(float32(v)))
	}
	return math.Float64bits(v)
}

func truncate(to program.Scalar, v float64) uint64 {
	switch {
	case to == program.U64 && v >= 1<<63:
		return fit(v-1<<63, 64) ^ 1<<63
	case to.Size() == 8 || to == program.U32:
		return fit(v, 64)
	}
	return fit(v, 32)
}

// fit is v truncated to a signed integer of the width, or the least one if v is
// outside or no number.
func fit(v float64, width uint) uint64 {
	limit := math.Ldexp(1, int(width-1))
	if v = math.Trunc(v); v >= -limit && v < limit {
		return uint64(int64(v))
	}
	return 1 << (width - 1)
}
