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
// that were inlined there. A pass is an edge of the flow from an instruction
// outside the extent to one inside, at most one in each execution of a
// straight-line block. A call returning, or an inlined callee ending, is no such
// edge. An entry from which no instruction marked as a statement of the line
// can be reached inside the extent is no pass either: the compiler leaves
// reloads of registers under the line of their use in rare branches.
//
// # How sites are chosen
//
// Within a block, instructions of the extent that follow each other make a
// segment; a stay in the extent is a path over segments. The sites must cut
// every such path exactly once. Each end of a segment gets a label, 0 before the
// pass was counted and 1 after; entries have 0, exits 1, both ends of an edge
// the same, and a segment whose label rises from 0 to 1 carries a site. Finding
// the labels is a minimum cut (cut.go, solve.go): where no labels satisfy all
// edges the cut names the edges on which the count can err, and the answer says
// so.
package locate
