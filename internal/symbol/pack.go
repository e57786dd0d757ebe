package symbol

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// What the store keeps of a build is an ELF file: headers of the sections that
// are loaded, without their bytes, the notes with the build ids, the debug
// sections, compressed as the format provides for, and an identity.

// maxSection bounds what one section may unpack to.
const maxSection = 1 << 30

// section is one section of the file that is written.
type section struct {
	name string
	head elf.Section64
	data []byte
}

// pack writes the debug information of a binary with the identity id.
func pack(w io.Writer, src *elf.File, id *debuginfo.Identity) error {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	defer enc.Close()
	list := []section{{}}
	info := false
	for _, s := range src.Sections {
		debug := strings.HasPrefix(s.Name, ".debug_") && s.Type != elf.SHT_NOBITS
		switch {
		case debug:
			data, err := readAll(s)
			if err != nil {
				return err
			}
			info = info || s.Name == ".debug_info"
			list = append(list, compressed(enc, s, data))
		case s.Flags&elf.SHF_ALLOC != 0:
			kept, err := loaded(s)
			if err != nil {
				return err
			}
			list = append(list, kept)
		}
	}
	if !info {
		return errNoDebug
	}
	text, err := json.Marshal(id)
	if err != nil {
		return err
	}
	list = append(list, section{name: debuginfo.IdentitySection, data: text,
		head: elf.Section64{Type: uint32(elf.SHT_PROGBITS), Addralign: 1}})
	return writeELF(w, src, list)
}

var errNoDebug = errors.New("it has no debug information itself: it was stripped, or linked with -s or -w (go run and go test do that)")

func readAll(s *elf.Section) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(s.Open(), maxSection+1))
	if err != nil {
		return nil, fmt.Errorf("section %s: %w", s.Name, err)
	}
	if len(data) > maxSection {
		return nil, fmt.Errorf("section %s is larger than %d bytes", s.Name, maxSection)
	}
	return data, nil
}

// compressed is a debug section as it is kept.
func compressed(enc *zstd.Encoder, s *elf.Section, data []byte) section {
	var out bytes.Buffer
	_ = binary.Write(&out, binary.LittleEndian, elf.Chdr64{Type: uint32(elf.COMPRESS_ZSTD), Size: uint64(len(data)), Addralign: 1})
	return section{name: s.Name, data: enc.EncodeAll(data, out.Bytes()),
		head: elf.Section64{Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_COMPRESSED), Addralign: 8}}
}

// loaded is a section of the program: notes as they are, others without bytes.
func loaded(s *elf.Section) (section, error) {
	out := section{name: s.Name, head: elf.Section64{Type: uint32(elf.SHT_NOBITS), Flags: uint64(s.Flags), Addr: s.Addr, Size: s.Size, Addralign: max(s.Addralign, 1)}}
	if s.Type != elf.SHT_NOTE || s.Size > 1<<16 {
		return out, nil
	}
	data, err := readAll(s)
	out.head.Type, out.data = uint32(elf.SHT_NOTE), data
	return out, err
}

// writeELF lays out a file: header, sections, their names, the section headers.
func writeELF(w io.Writer, src *elf.File, list []section) error {
	names := []byte{0}
	var body bytes.Buffer
	const header = 64
	list = append(list, section{name: ".shstrtab", head: elf.Section64{Type: uint32(elf.SHT_STRTAB), Addralign: 1}})
	for i := range list {
		s := &list[i]
		if i == 0 {
			continue
		}
		s.head.Name = uint32(len(names))
		names = append(append(names, s.name...), 0)
	}
	list[len(list)-1].data = names
	for i := range list {
		s := &list[i]
		if i == 0 || s.head.Type == uint32(elf.SHT_NOBITS) {
			continue
		}
		for body.Len()%8 != 0 {
			body.WriteByte(0)
		}
		s.head.Off, s.head.Size = uint64(header+body.Len()), uint64(len(s.data))
		body.Write(s.data)
	}
	for body.Len()%8 != 0 {
		body.WriteByte(0)
	}
	h := elf.Header64{Type: uint16(src.Type), Machine: uint16(src.Machine), Version: 1, Entry: src.Entry,
		Shoff: uint64(header + body.Len()), Ehsize: header, Phentsize: 56, Shentsize: 64,
		Shnum: uint16(len(list)), Shstrndx: uint16(len(list) - 1)}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	if err := binary.Write(w, binary.LittleEndian, h); err != nil {
		return err
	}
	if _, err := w.Write(body.Bytes()); err != nil {
		return err
	}
	for _, s := range list {
		if err := binary.Write(w, binary.LittleEndian, s.head); err != nil {
			return err
		}
	}
	return nil
}
