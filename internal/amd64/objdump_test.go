package amd64

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// These tests compare the decoder with binutils' objdump, an oracle that knows
// every encoding. Set SIDELIGHT_BINARY to a large program to compare all of its
// code, best one built with GOAMD64=v3:
//
//	SIDELIGHT_BINARY=/path/to/program go test -run TestObjdump ./internal/amd64

// line is an instruction as objdump prints it.
type line struct {
	pc    uint64
	bytes []byte
	text  string
}

func objdump(t *testing.T, visit func(line), args ...string) {
	t.Helper()
	tool, err := exec.LookPath("objdump")
	if err != nil {
		t.Skip("objdump (binutils) is not installed: nothing to compare with")
	}
	cmd := exec.Command(tool, append([]string{"-w", "-z"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		addr, rest, ok := strings.Cut(scan.Text(), ":\t")
		if !ok {
			continue
		}
		pc, err := strconv.ParseUint(strings.TrimSpace(addr), 16, 64)
		if err != nil {
			continue
		}
		raw, text, _ := strings.Cut(rest, "\t")
		b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(raw), " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", scan.Text(), err)
		}
		visit(line{pc, b, text})
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

var regName = regexp.MustCompile(`%(r?[a-ds][xipl]l?|[er][a-ds][xip]|[a-d][hl]|r\d+[dwb]?|[er]?[sd]il?|[er]?[bs]pl?)\b`)

// named is the set of general registers in objdump's text.
func named(text string) RegSet {
	var s RegSet
	text, _, _ = strings.Cut(text, "#")
	for _, m := range regName.FindAllStringSubmatch(text, -1) {
		n := m[1]
		if n[0] == 'r' && n[1] >= '0' && n[1] <= '9' {
			v, _ := strconv.Atoi(strings.TrimRight(n[1:], "dwb"))
			s |= 1 << v
			continue
		}
		n = strings.TrimLeft(n, "er")
		for i, pair := range []string{"ax al ah", "cx cl ch", "dx dl dh", "bx bl bh", "sp spl", "bp bpl", "si sil", "di dil"} {
			for _, name := range strings.Fields(pair) {
				if n == name {
					s |= 1 << i
				}
			}
		}
	}
	return s
}

// differs says how the decoder and objdump disagree; "" if they do not.
func differs(i *Inst, l line) string {
	if i.Len != len(l.bytes) {
		return fmt.Sprintf("length %d", i.Len)
	}
	op := strings.Fields(l.text)
	touched := i.Reads | i.Writes
	if i.Kind == Trap || i.Map == MapOne && i.Opcode == 0x90 && i.Reads == 0 {
		return ""
	}
	if i.Map == Map0F && (i.Opcode == 0x0D || i.Opcode&0xF8 == 0x18) {
		return "" // hints: the operand has no effect
	}
	if n := named(l.text); n&^touched != 0 {
		return fmt.Sprintf("touches %v, not %v", touched, n)
	}
	for n := range op {
		switch word := op[n]; {
		case strings.HasPrefix(word, "j") && n+1 < len(op) && op[n+1][0] != '*':
			target, err := strconv.ParseUint(strings.TrimPrefix(op[n+1], "0x"), 16, 64)
			if err == nil && target != i.Target {
				return fmt.Sprintf("target %#x", i.Target)
			}
			return ""
		}
	}
	return ""
}

func TestObjdumpAgreesOnProgram(t *testing.T) {
	path := os.Getenv("SIDELIGHT_BINARY")
	if path == "" {
		path = os.Args[0]
	}
	code, base := text(t, path)
	seen, unknown, wrong := 0, 0, 0
	kinds := map[string]int{}
	objdump(t, func(l line) {
		if l.pc < base || l.pc-base >= uint64(len(code)) || len(l.bytes) == 0 {
			return
		}
		seen++
		if strings.Contains(l.text, "(bad)") {
			return
		}
		i, err := Decode(code[l.pc-base:], l.pc)
		if err != nil {
			unknown++
			kinds[strings.Fields(l.text)[0]]++
			return
		}
		if why := differs(&i, l); why != "" {
			if wrong++; wrong < 20 {
				t.Errorf("%#x: % x %s: decoded with %s", l.pc, l.bytes, l.text, why)
			}
		}
	}, "-d", "-j", ".text", path)
	t.Logf("%s: %d instructions compared, %d not known, %d wrong; not known: %v", filepath.Base(path), seen, unknown, wrong, kinds)
	if wrong > 0 {
		t.Errorf("%d of %d instructions are decoded otherwise than objdump decodes them", wrong, seen)
	}
	if unknown*1000 > seen {
		t.Errorf("%d of %d instructions are not known; add them to the tables", unknown, seen)
	}
}

func text(t *testing.T, path string) ([]byte, uint64) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := f.Section(".text")
	code, err := s.Data()
	if err != nil {
		t.Fatal(err)
	}
	return code, s.Addr
}

// slot is how far apart random instructions lie: the second half is NOPs, so
// that objdump is in step again at the next one.
const slot = 32

// randomCode makes instructions of every map, most of them nonsense.
func randomCode(rng *rand.Rand, n int) []byte {
	code := bytes.Repeat([]byte{0x90}, n*slot)
	for at := 0; at < len(code); at += slot {
		copy(code[at:], randomInst(rng))
	}
	return code
}

func randomInst(rng *rand.Rand) []byte {
	pick := func(list ...byte) byte { return list[rng.IntN(len(list))] }
	tail := make([]byte, 16)
	for i := range tail {
		tail[i] = byte(rng.Uint32())
	}
	var head []byte
	legacy := func(escape ...byte) {
		if rng.IntN(3) == 0 {
			head = append(head, pick(0x66, 0xF2, 0xF3))
		}
		if rng.IntN(2) == 0 {
			head = append(head, 0x40|pick(0, 1, 2, 4, 8, 9, 12, 15))
		}
		head = append(head, escape...)
	}
	switch rng.IntN(8) {
	case 0:
		legacy()
	case 1:
		legacy(0x0F)
	case 2:
		legacy(0x0F, 0x38)
	case 3:
		legacy(0x0F, 0x3A)
	case 4:
		head = []byte{0xC5, tail[15] | pick(0, 0x78)}
	case 5, 6:
		head = []byte{0xC4, tail[15]&0xE0 | pick(1, 2, 3), tail[14] | pick(0, 0x78)}
	case 7:
		head = []byte{0x62, tail[15]&0xF0 | pick(1, 2, 3, 5, 6), tail[14] | pick(4, 0x7C), tail[13] | pick(0, 8)}
	}
	return append(head, tail...)[:16]
}

func TestObjdumpAgreesOnRandomCode(t *testing.T) {
	n := 40_000
	if v := os.Getenv("SIDELIGHT_RANDOM"); v != "" {
		n, _ = strconv.Atoi(v)
	}
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	code := randomCode(rng, n)
	file := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(file, code, 0o600); err != nil {
		t.Fatal(err)
	}
	both, bad, unknown, wrong := 0, 0, map[string]int{}, 0
	objdump(t, func(l line) {
		if l.pc%slot != 0 {
			return
		}
		i, err := Decode(code[l.pc:], l.pc)
		name := strings.Fields(l.text + " -")[0]
		invalid := strings.Contains(l.text, "(bad)") || strings.Contains(l.text, "{bad}") || strings.Contains(l.text, "rex") ||
			l.bytes[0] == 0x9B || len(l.bytes) > 1 && l.bytes[1] == 0x9B // FWAIT, which objdump joins to what follows
		switch {
		case err != nil && !invalid:
			unknown[name]++
		case err != nil:
		case invalid:
			bad++
		default:
			both++
			if why := differs(&i, l); why != "" {
				if wrong++; wrong < 40 {
					t.Errorf("% x %s: decoded with %s", l.bytes, l.text, why)
				}
			}
		}
	}, "-D", "-b", "binary", "-m", "i386:x86-64", file)
	t.Logf("%d known to both, %d wrong; %d decoded but bad to objdump; not known: %v", both, wrong, bad, unknown)
	if both < n/8 {
		t.Errorf("only %d of %d random instructions were compared", both, n)
	}
}
