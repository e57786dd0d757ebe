//go:build linux && amd64

package inject

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lifeline holds the robust futex at the start of the shared region: a thread of
// ours that is locked for the purpose. When this process dies in whatever way,
// the kernel changes the word (it adds FUTEX_OWNER_DIED) before anything else can be relied upon, and every
// probe goes quiet.
type lifeline struct {
	word *uint32
	tid  uint32
	stop chan struct{}
	done chan struct{}
}

// holdLifeline writes the id of a fresh thread into the word and keeps it there.
func holdLifeline(shared []byte) (*lifeline, error) {
	l := &lifeline{word: (*uint32)(unsafe.Pointer(&shared[0])), stop: make(chan struct{}), done: make(chan struct{})}
	// The list that the kernel will walk. It lies outside Go's heap.
	page, err := unix.Mmap(-1, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	ready := make(chan error)
	go l.hold(page, ready)
	if err := <-ready; err != nil {
		_ = unix.Munmap(page)
		return nil, err
	}
	return l, nil
}

func (l *lifeline) hold(page []byte, ready chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(l.done)
	var oldHead, oldLen uintptr
	_, _, errno := unix.RawSyscall(unix.SYS_GET_ROBUST_LIST, 0, uintptr(unsafe.Pointer(&oldHead)), uintptr(unsafe.Pointer(&oldLen)))
	if errno == 0 {
		// struct robust_list_head {next, futex_offset, pending}, then one entry {next}.
		head := (*[3]uintptr)(unsafe.Pointer(&page[0]))
		entry := (*uintptr)(unsafe.Pointer(&page[64]))
		at := uintptr(unsafe.Pointer(&page[0]))
		head[0] = at + 64
		head[1] = uintptr(unsafe.Pointer(l.word)) - (at + 64)
		head[2] = 0
		*entry = at
		_, _, errno = unix.RawSyscall(unix.SYS_SET_ROBUST_LIST, at, unsafe.Sizeof(*head), 0)
	}
	if errno != 0 {
		ready <- errno
		return
	}
	l.tid = uint32(unix.Gettid())
	atomic.StoreUint32(l.word, l.tid)
	ready <- nil
	<-l.stop
	atomic.StoreUint32(l.word, 0)
	unix.RawSyscall(unix.SYS_SET_ROBUST_LIST, oldHead, 24, 0)
	_ = unix.Munmap(page)
}

// release clears the word: every probe of the bay is quiet from then on.
func (l *lifeline) release() {
	close(l.stop)
	<-l.done
}

// wordAlive tells whether the owner that wrote want still lives.
func wordAlive(word, want uint32) bool { return word == want && word != 0 }
