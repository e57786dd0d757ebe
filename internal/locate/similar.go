package locate

import (
	"sort"
	"strings"
)

// similar lists the names that may have been meant by one that is unknown,
// likeliest first: the same but for receiver, package or case, then the nearest
// by letters.
func similar(asked string, names map[string]bool) []string {
	type scored struct {
		name  string
		score int
	}
	var list []scored
	want := key(asked)
	for name := range names {
		if s := distance(want, asked, name); s >= 0 {
			list = append(list, scored{name, s})
		}
	}
	sort.Slice(list, func(i, j int) bool {
		if list[i].score != list[j].score {
			return list[i].score < list[j].score
		}
		if len(list[i].name) != len(list[j].name) {
			return len(list[i].name) < len(list[j].name)
		}
		return list[i].name < list[j].name
	})
	var out []string
	for _, s := range list {
		if len(out) == 6 || list[0].score == 0 && s.score > 0 || s.score > list[0].score+1 {
			break
		}
		out = append(out, s.name)
	}
	return out
}

// key reduces a name to what people get right: letters and dots.
func key(name string) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	return strings.ToLower(strings.NewReplacer("(", "", ")", "", "*", "").Replace(name))
}

// distance tells how far a name is from the one asked for; -1: too far.
func distance(want, asked, name string) int {
	have := key(name)
	if have == want {
		return 0
	}
	if tail(have) == tail(want) {
		if strings.HasPrefix(have, want[:strings.IndexByte(want+".", '.')]+".") {
			return 1 // the same package and last name
		}
		return 4
	}
	most := 2
	if len(tail(want)) < 4 {
		most = 1
	}
	if d := edits(have, want, most); d <= most {
		return 1 + d
	}
	return -1
}

func tail(s string) string { return s[strings.LastIndexByte(s, '.')+1:] }

// edits is the number of letters to insert, delete or replace to make a of b,
// or more than most.
func edits(a, b string, most int) int {
	if len(a) > len(b)+most || len(b) > len(a)+most {
		return most + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal, least := row[0], i
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
			least = min(least, row[j])
		}
		if least > most {
			return most + 1
		}
	}
	return row[len(b)]
}

// similarFiles lists the files whose name is near that of the one asked for.
func similarFiles(asked string, files map[string]bool) []string {
	want := strings.ToLower(base(asked))
	var same, near []string
	for f := range files {
		have := strings.ToLower(base(f))
		if have == want {
			same = append(same, f)
		} else if edits(have, want, 2) <= 2 {
			near = append(near, f)
		}
	}
	sort.Strings(same)
	sort.Strings(near)
	if list := append(same, near...); len(list) > 6 {
		return list[:6]
	} else {
		return list
	}
}
