// Package sink brings what probes tell to where people and programs read it.
//
// Events of a session come in (package probe, from the engine); lines go out,
// as text for people or as JSON, one object a line. Package cli stands before
// it; nothing of the project stands after it.
package sink

import "github.com/sidelight-dev/sidelight/internal/probe"

// Sink takes the events of a session, one after another. An error of Event
// says that the reader is gone or the disk is full: the session should end.
// What is still emitted after that is lost and may be passed on all the same.
type Sink interface {
	Event(probe.Event) error
}
