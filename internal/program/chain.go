package program

// Chain is what OpSpan goes by: the types that contexts and spans have in a build.
// Types are linked addresses of the runtime's *_type.
//
// Package context's values lie in a chain: each valueCtx has a key, a value and
// the context around it, and other contexts have only the latter. The span is the
// value of the first key whose type is SpanKey.
type Chain struct {
	Value          uint64 // *context.valueCtx, and where that has
	Next, Key, Val int64  // the context around it, its key and its value: interfaces
	SpanKey        uint64 // the type of the key
	Contexts       []Link // other contexts; Off: of the context around them
	Spans          []Link // Off: of the span's identity
	Max            int64  // contexts that are looked at
}

// Link is a type of which the data word of an interface points to a struct, and
// what lies Off bytes into that; -1: nothing does.
type Link struct {
	Type uint64
	Off  int64
}
