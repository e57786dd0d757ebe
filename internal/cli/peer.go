package cli

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// peerUser is the user whose process is at the other end of a connection on
// this machine: the kernel lists both ends of it, each with its owner (proc(5),
// /proc/net/tcp).
func peerUser(proc string, c net.Conn) (int, error) {
	local, remote := addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(filepath.Join(proc, "net", table))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 8 {
				continue
			}
			from, ok1 := parseSocket(f[1])
			to, ok2 := parseSocket(f[2])
			if ok1 && ok2 && from == remote && to == local {
				return strconv.Atoi(f[7])
			}
		}
	}
	return -1, fmt.Errorf("the kernel does not say who %s is", remote)
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}

// parseSocket reads ADDRESS:PORT as the kernel prints it: hexadecimal, the
// address in words of the machine's byte order.
func parseSocket(text string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(text, ":")
	b, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
	}
	addr, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), ok
}
