package locate

// network is a flow network with integer capacities, on which the cheapest cut
// between source and sink is sought. Nodes 0 and 1 are source and sink.
type network struct {
	head []int32 // by node: first arc, -1 none
	arcs []arc
}

type arc struct {
	to, next int32
	cap      int64
}

const (
	source = int32(0)
	sink   = int32(1)
)

func newNetwork(nodes int) *network {
	n := &network{head: make([]int32, nodes+2)}
	for i := range n.head {
		n.head[i] = -1
	}
	return n
}

// join adds an arc from u to v of capacity forth, and one back of capacity back.
func (n *network) join(u, v int32, forth, back int64) {
	n.arcs = append(n.arcs, arc{to: v, next: n.head[u], cap: forth})
	n.head[u] = int32(len(n.arcs) - 1)
	n.arcs = append(n.arcs, arc{to: u, next: n.head[v], cap: back})
	n.head[v] = int32(len(n.arcs) - 1)
}

// cut pushes the greatest flow and returns for each node whether it lies on the
// sink's side of the cheapest cut. Of several cheapest cuts it is the one
// nearest to the source, that is, the earliest sites.
func (n *network) cut() []bool {
	for {
		level := n.levels()
		if level[sink] < 0 {
			side := make([]bool, len(level))
			for i := range level {
				side[i] = level[i] < 0
			}
			return side
		}
		next := append([]int32(nil), n.head...)
		for n.push(level, next) {
		}
	}
}

// levels is a breadth-first search over arcs with capacity left.
func (n *network) levels() []int32 {
	level := make([]int32, len(n.head))
	for i := range level {
		level[i] = -1
	}
	level[source] = 0
	queue := []int32{source}
	for len(queue) > 0 {
		u := queue[0]
		queue = queue[1:]
		for a := n.head[u]; a >= 0; a = n.arcs[a].next {
			if v := n.arcs[a].to; n.arcs[a].cap > 0 && level[v] < 0 {
				level[v] = level[u] + 1
				queue = append(queue, v)
			}
		}
	}
	return level
}

// push finds one way from source to sink along rising levels and fills it.
// Iterative: a function may have as many segments as instructions.
func (n *network) push(level, next []int32) bool {
	var way []int32
	u := source
	for u != sink {
		a := next[u]
		for a >= 0 && (n.arcs[a].cap == 0 || level[n.arcs[a].to] != level[u]+1) {
			a = n.arcs[a].next
		}
		next[u] = a
		if a >= 0 {
			way = append(way, a)
			u = n.arcs[a].to
			continue
		}
		if len(way) == 0 {
			return false
		}
		back := way[len(way)-1]
		way = way[:len(way)-1]
		u = n.arcs[back^1].to
		next[u] = n.arcs[next[u]].next // that arc leads nowhere
	}
	least := n.arcs[way[0]].cap
	for _, a := range way {
		least = min(least, n.arcs[a].cap)
	}
	for _, a := range way {
		n.arcs[a].cap -= least
		n.arcs[a^1].cap += least
	}
	return true
}
