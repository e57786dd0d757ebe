package debuginfo

import ("testing";"os";"time";"fmt";"runtime")

func TestTry(t *testing.T) {
	p := os.Getenv("TRY"); if p == "" { t.Skip() }
	t0 := time.Now()
	b, err := Open(p)
	fmt.Println("open", time.Since(t0), err)
	if err != nil { return }
	t0 = time.Now()
	x, err := b.indexed()
	fmt.Println("index", time.Since(t0), err, len(b.funcs), len(x.pcs), len(x.inlined), len(x.types), len(x.rtypes), len(x.globals))
	t0 = time.Now()
	fmt.Println("files", len(b.Files()), time.Since(t0))
	t0 = time.Now()
	n := 0
	for _, f := range b.Files() { n += len(b.FileFuncs(f)) }
	fmt.Println("filefuncs", n, time.Since(t0))
	var m runtime.MemStats
	runtime.GC(); runtime.ReadMemStats(&m); fmt.Println("heap", m.HeapAlloc>>20, "sys", m.Sys>>20)
	r, err := b.Runtime(); fmt.Printf("%+v %v\n", r, err)
	fmt.Printf("types %#x text %#x %s %s %s %s %s %v\n", b.TypesBase(), b.pcln.text, b.ID, b.GNUID, b.GoVersion, b.Main, b.ModulePath, b.PIE)
	nodie, noend, nocfa, norow := 0, 0, 0, 0
	for _, f := range b.Funcs() {
		off, ok := x.dieAt(f.Entry)
		if !ok { nodie++; if nodie < 5 { fmt.Println("nodie", f.Name) }; continue }
		var d die
		b.readDIE(x.info, x.unitAt(off), off, &d)
		if d.end() != f.End { noend++; if noend < 5 { fmt.Printf("end %s %#x dwarf %#x\n", f.Name, f.End, d.end()) } }
		if _, err := b.CFA(f.Entry); err != nil { nocfa++; if nocfa < 5 {fmt.Println(f.Name, err)} }
		if len(b.Lines(f)) == 0 { norow++; if norow < 5 {fmt.Println("norow", f.Name)} }
	}
	fmt.Println("nodie", nodie, "end differs", noend, "nocfa", nocfa, "norow", norow, time.Since(t0))
	for _, name := range []string{"main.closure.func1", "main.escape", "main.(*Order).Total"} {
		f := b.FuncNamed(name)
		if f == nil { continue }
		for _, r := range b.Lines(f) {
			fmt.Printf("%#x %s:%d %v %v unsafe=%v\n", r.PC, r.File, r.Line, r.Stmt, r.PrologueEnd, b.UnsafePoint(r.PC))
			for _, v := range b.Scope(r.PC) { l := v.Locate(r.PC); fmt.Printf("    %s %s %v ind=%v %v why=%q\n", v.Name, v.Type.Name, v.Fresh, l.Indirect, l.Pieces, l.Why) }
		}
	}
}
