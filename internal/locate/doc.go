// Package locate turns the LOCATION of a probe into sites: the machine
// addresses at which it must fire so that every pass is counted exactly once.
//
// In: the text of a location (file.go:LINE, pkg.Func, pkg.(*Type).Method), the
// line table, functions and inlining of a build (debuginfo, which stands
// before), and the instruction flow of each function (amd64, likewise). Out: a
// Result of sites and issues, or a typed error that says what to do next.
// compile and engine stand after it.
//
// # What a pass is
//
// The extent of a line, in one function or one inlined copy of it, is the
// instructions that the line table gives to the line and those of the calls
// that were inlined there (function.go). A stay in the extent begins with an
// edge of the flow from an instruction outside to one inside, at most once in
// each execution of a straight-line block. A call returning, or an inlined
// callee ending, begins no stay; nor does coming back from moves between
// registers and stack that the register allocator left under other lines'
// numbers.
//
// A stay is a pass if the work of the line begins in it. What the compiler left
// of a line elsewhere is no work: reloads in rare branches, the slow way of a
// write barrier, a jump to what follows the statement, an operand that was
// computed later. Such a rest is known by what it does (extent.go: worth), and
// by coming only after the line's work was begun, every time: by dominators and
// loops (extent.go: primary).
//
// The body of an inlined copy is entered at its top only; a function's own code
// after its prologue (entry.go).
//
// # How sites are chosen
//
// Within a block, instructions of the extent that follow each other make a
// segment; a stay is a path over segments. The sites must cut every pass exactly
// once. Each end of a segment gets a label, 0 before the pass was counted and 1
// after; entries have 0, exits 1, both ends of an edge the same, and a segment
// whose label rises from 0 to 1 carries a site. Finding the labels is a minimum
// cut (cut.go, solve.go): where no labels satisfy all edges the cut names the
// edges on which the count can err, and the answer says so. Of a large server's
// 632,000 lines and inlined copies that is so for 2 in 10,000.
package locate
