package dap

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"strconv"
	"strings"

	godap "github.com/google/go-dap"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// evaluate answers a hover, a watch or a line of the console: in a snapshot
// from what was captured, otherwise as a command.
func (s *session) evaluate(ctx context.Context, r request) {
	var a godap.EvaluateArguments
	if !s.arguments(r, &a) {
		return
	}
	text := strings.TrimSpace(a.Expression)
	if a.Context == "repl" || a.Context == "" && a.FrameId == 0 {
		if s.command(ctx, r, text) {
			return
		}
	}
	if a.FrameId == 0 {
		s.refuse(r, errors.New("the process runs on: values are those of a snapshot; open one, or type \"help\""))
		return
	}
	m, i, err := s.frame(a.FrameId)
	if err != nil {
		s.refuse(r, err)
		return
	}
	n, err := lookUp(m, i, text)
	if err != nil {
		s.refuse(r, err)
		return
	}
	s.answer(r, s.evaluated(m, n))
}

func (s *session) evaluated(m *moment, n node) godap.EvaluateResponseBody {
	id := s.handles.give([]node{n}, 1, m.n, 0)
	v := s.handles.variable(id, 0)
	return godap.EvaluateResponseBody{Result: v.Value, Type: v.Type, VariablesReference: v.VariablesReference,
		NamedVariables: v.NamedVariables, IndexedVariables: v.IndexedVariables, PresentationHint: v.PresentationHint}
}

// lookUp evaluates an expression over a frame of a snapshot.
func lookUp(m *moment, frame int, text string) (node, error) {
	if len(text) > 4096 {
		return node{}, errors.New("the expression is too long")
	}
	for _, w := range m.Watches {
		if w.Name == text {
			return node{w.Name, w.Name, w.Value}, nil
		}
	}
	x, err := parser.ParseExpr(text)
	if err != nil {
		return node{}, fmt.Errorf("%q is no expression", text)
	}
	e := evaluator{frame: m.stack()[frame]}
	v, err := e.eval(x)
	return node{text, text, v}, err
}

// evaluator reads values of a frame. It computes nothing that Go might compute
// in another way: paths, lengths, comparisons and their combinations.
type evaluator struct{ frame probe.Frame }

func (e *evaluator) eval(x ast.Expr) (probe.Value, error) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return e.eval(x.X)
	case *ast.Ident:
		return e.name(x.Name)
	case *ast.BasicLit:
		return literal(x)
	case *ast.SelectorExpr:
		return e.field(x)
	case *ast.IndexExpr:
		return e.index(x)
	case *ast.StarExpr:
		return e.follow(x)
	case *ast.CallExpr:
		return e.length(x)
	case *ast.UnaryExpr:
		return e.unary(x)
	case *ast.BinaryExpr:
		return e.binary(x)
	case *ast.TypeAssertExpr:
		return e.assert(x)
	}
	return probe.Value{}, errors.New("in a snapshot these are answered: names, x.Field, x[i], *p, x.(T), len and cap, comparisons, && || !; add anything else to \"watch\" in the configuration")
}

// name is a variable of the frame. The innermost of a name stands last.
func (e *evaluator) name(name string) (probe.Value, error) {
	for i := len(e.frame.Variables) - 1; i >= 0; i-- {
		if v := e.frame.Variables[i]; v.Name == name {
			return v.Value, nil
		}
	}
	switch name {
	case "true", "false":
		return probe.Value{Shape: probe.Bool, Type: "bool", Bool: name == "true"}, nil
	case "nil":
		return probe.Value{Shape: probe.Nil}, nil
	}
	var have []string
	for _, v := range e.frame.Variables {
		have = append(have, v.Name)
	}
	if len(have) == 0 {
		return probe.Value{}, fmt.Errorf("no variables of %s were captured", shortFunction(e.frame.Function))
	}
	return probe.Value{}, fmt.Errorf("%s was not captured in %s; there is %s", name, shortFunction(e.frame.Function), strings.Join(have, ", "))
}

func (e *evaluator) field(x *ast.SelectorExpr) (probe.Value, error) {
	v, err := e.eval(x.X)
	if err != nil {
		return v, err
	}
	v = inner(v)
	if f, ok := promoted(v, x.Sel.Name, 4); ok {
		return f, nil
	}
	return probe.Value{}, missing(v, "field "+x.Sel.Name)
}

// promoted finds a field, also in embedded structs, the shallowest first.
func promoted(v probe.Value, name string, depth int) (probe.Value, bool) {
	for _, f := range v.Fields {
		if f.Name == name {
			return f.Value, true
		}
	}
	if depth == 0 {
		return probe.Value{}, false
	}
	for _, f := range v.Fields {
		typ := strings.TrimPrefix(f.Value.Type, "*")
		if i := strings.IndexByte(typ, '['); i > 0 {
			typ = typ[:i]
		}
		if typ[strings.LastIndexAny(typ, "./")+1:] != f.Name {
			continue // not embedded
		}
		if got, ok := promoted(inner(f.Value), name, depth-1); ok {
			return got, true
		}
	}
	return probe.Value{}, false
}

// missing says why a part of a value is not there.
func missing(v probe.Value, part string) error {
	switch v.Shape {
	case probe.Unreadable:
		return errors.New(v.Text)
	case probe.Nil:
		return errors.New("nil pointer")
	case probe.Redacted:
		return fmt.Errorf("redacted (%s)", v.Text)
	case probe.Pointer:
		return fmt.Errorf("what 0x%x points to was not captured: a greater \"depth\" in the configuration captures more", v.Uint)
	}
	if v.Truncated {
		return fmt.Errorf("%s was not captured: %s", part, cutBy(v))
	}
	if v.Type == "" {
		return fmt.Errorf("there is no %s", part)
	}
	return fmt.Errorf("%s has no %s", v.Type, part)
}

func cutBy(v probe.Value) string {
	if v.Cut != "" {
		return "cut by " + v.Cut
	}
	return "the value was cut"
}

func (e *evaluator) index(x *ast.IndexExpr) (probe.Value, error) {
	v, err := e.eval(x.X)
	if err != nil {
		return v, err
	}
	key, err := e.eval(x.Index)
	if err != nil {
		return key, err
	}
	v = inner(v)
	switch v.Shape {
	case probe.Map:
		for _, entry := range v.Entries {
			if same, ok := equal(entry.Key, key); ok && same {
				return entry.Value, nil
			}
		}
		return probe.Value{}, missing(v, "key "+text(key))
	case probe.List:
		i, ok := integer(key)
		if ok && i >= 0 && i < int64(len(v.Elems)) {
			return v.Elems[i], nil
		}
		if ok && (i < 0 || i >= v.Len) {
			return probe.Value{}, fmt.Errorf("index %d is out of range: the length is %d", i, v.Len)
		}
		return probe.Value{}, missing(v, "element "+text(key))
	case probe.String:
		i, ok := integer(key)
		if ok && i >= 0 && i < int64(len(v.Data)) {
			return probe.Value{Shape: probe.Uint, Type: "uint8", Uint: uint64(v.Data[i])}, nil
		}
		return probe.Value{}, missing(v, "byte "+text(key))
	}
	return probe.Value{}, missing(v, "element "+text(key))
}

func (e *evaluator) follow(x *ast.StarExpr) (probe.Value, error) {
	v, err := e.eval(x.X)
	if err != nil {
		return v, err
	}
	if v.Shape == probe.Pointer && len(v.Elems) == 1 {
		return v.Elems[0], nil
	}
	if v.Shape == probe.Pointer || v.Shape == probe.Nil || v.Shape == probe.Unreadable {
		return v, missing(v, "value")
	}
	return v, fmt.Errorf("%s is no pointer", v.Type)
}

func (e *evaluator) assert(x *ast.TypeAssertExpr) (probe.Value, error) {
	v, err := e.eval(x.X)
	if err != nil || x.Type == nil {
		return v, err
	}
	want := typeText(x.Type)
	if v.Shape != probe.Interface {
		return v, errors.New("only interfaces have a dynamic type")
	}
	if v.Type != want && !strings.HasSuffix(v.Type, "/"+want) {
		return v, fmt.Errorf("it holds %s", v.Type)
	}
	if len(v.Elems) == 1 {
		return v.Elems[0], nil
	}
	return v, missing(v, "value")
}

func typeText(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.StarExpr:
		return "*" + typeText(x.X)
	case *ast.SelectorExpr:
		return typeText(x.X) + "." + x.Sel.Name
	}
	return "?"
}

func (e *evaluator) length(x *ast.CallExpr) (probe.Value, error) {
	fn, ok := x.Fun.(*ast.Ident)
	if !ok || fn.Name != "len" || len(x.Args) != 1 {
		return probe.Value{}, errors.New("no function of the process is ever called; len(x) is answered")
	}
	v, err := e.eval(x.Args[0])
	if err != nil {
		return v, err
	}
	v = inner(v)
	switch v.Shape {
	case probe.String, probe.List, probe.Map, probe.Chan:
		if v.Len >= 0 {
			return number(v.Len), nil
		}
	case probe.Nil:
		return number(0), nil
	}
	return v, missing(v, "length")
}

func number(n int64) probe.Value { return probe.Value{Shape: probe.Int, Type: "int", Int: n} }
func truth(b bool) probe.Value   { return probe.Value{Shape: probe.Bool, Type: "bool", Bool: b} }

func literal(x *ast.BasicLit) (probe.Value, error) {
	switch x.Kind {
	case token.INT, token.CHAR:
		c := constant.ToInt(constant.MakeFromLiteral(x.Value, x.Kind, 0))
		if n, ok := constant.Int64Val(c); ok {
			return number(n), nil
		}
		if n, ok := constant.Uint64Val(c); ok {
			return probe.Value{Shape: probe.Uint, Type: "uint64", Uint: n}, nil
		}
	case token.FLOAT:
		if f, err := strconv.ParseFloat(x.Value, 64); err == nil {
			return probe.Value{Shape: probe.Float, Type: "float64", Float: f, Bits: 64}, nil
		}
	case token.STRING:
		if s, err := strconv.Unquote(x.Value); err == nil {
			return probe.Value{Shape: probe.String, Type: "string", Data: []byte(s), Len: int64(len(s))}, nil
		}
	}
	return probe.Value{}, fmt.Errorf("%s is not understood", x.Value)
}

func (e *evaluator) unary(x *ast.UnaryExpr) (probe.Value, error) {
	v, err := e.eval(x.X)
	switch {
	case err != nil:
		return v, err
	case x.Op == token.NOT && v.Shape == probe.Bool:
		return truth(!v.Bool), nil
	case x.Op == token.SUB && v.Shape == probe.Int && v.Int > -1<<62:
		return probe.Value{Shape: probe.Int, Type: v.Type, Int: -v.Int}, nil
	}
	return v, fmt.Errorf("%s is not answered here", x.Op)
}
