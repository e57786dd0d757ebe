package debuginfo

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// Hashing is how the runtime of a build hashes the keys of maps by AES, which
// program.Hash describes. Addresses are as linked.
type Hashing struct {
	Uses     uint64            // runtime.useAeshash
	Schedule uint64            // runtime.aeskeysched
	Hasher   int64             // offset of the hash function in a map's runtime type
	Funcs    map[string]uint64 // entries by name: strhash, memhash32, memhash128, memhash_varlen and so on
}

// hashCode is the code that hashes, by the digests that codeOf gives of it: from Go
// 1.22 to 1.26 it is the same (runtime/asm_amd64.s). A release that changes it has
// another digest, and its maps are searched without hashes until it is known.
var hashCode = map[string]uint64{
	"aeshashbody":       0xb0f6f9c63a2598a,
	"runtime.memhash":   0x5512f585b64610b7,
	"runtime.strhash":   0x2b9888239de44ea4,
	"runtime.memhash32": 0xda8c0197eb220960,
	"runtime.memhash64": 0x144322048ff641e,
}

// Hashing reads how this build hashes. An error says why that is not known: the
// code is another one, or there is no debug information.
func (b *Build) Hashing() (*Hashing, error) { return b.hashing.get(b.readHashing) }

func (b *Build) readHashing() (*Hashing, error) {
	h := &Hashing{Funcs: map[string]uint64{}}
	data := map[string][]uint64{}
	for _, f := range b.Funcs() {
		if want, ok := hashCode[f.Name]; ok && !f.Wrapper {
			digest, uses, err := b.codeOf(f)
			if err != nil {
				return nil, err
			}
			if digest != want {
				return nil, fmt.Errorf("%s is not the code of a runtime that is known (%#x)", f.Name, digest)
			}
			data[f.Name] = uses
		}
		if name, ok := strings.CutPrefix(f.Name, "runtime."); ok && !f.Wrapper && (name == "strhash" || strings.HasPrefix(name, "memhash")) {
			h.Funcs[name] = f.Entry
		}
	}
	body, word := data["aeshashbody"], data["runtime.memhash64"]
	if len(data) != len(hashCode) || len(body) == 0 || len(word) < 2 || body[0] != word[1] || word[1]%16 != 0 {
		return nil, fmt.Errorf("the runtime's hash functions are not those that are known")
	}
	h.Uses, h.Schedule = word[0], word[1]
	for _, name := range []string{"MapType", "SwissMapType", "OldMapType"} {
		if off, ok := b.FieldOffset("internal/abi."+name, "Hasher"); ok {
			h.Hasher = off
		}
	}
	if h.Hasher == 0 {
		return nil, fmt.Errorf("the debug information does not describe the types of maps")
	}
	return h, nil
}

// codeOf is a digest of a function's code without the addresses in it: those of
// data, which it gives in their order, and of other functions.
func (b *Build) codeOf(f *Func) (digest uint64, data []uint64, err error) {
	sum := fnv.New64a()
	err = b.eachInstOf(f, func(in *amd64.Inst) {
		code := append([]byte(nil), in.Bytes[:in.Len]...)
		if in.Mem.Present && in.Mem.RIPRel {
			data = append(data, in.RIPTarget())
			clear(code[in.Mem.DispOff:][:in.Mem.DispSize])
		}
		if in.Kind == amd64.Jmp && !f.Contains(in.Target) {
			clear(code[in.ImmOff:][:in.ImmLen])
		}
		sum.Write(code)
	})
	return sum.Sum64(), data, err
}
