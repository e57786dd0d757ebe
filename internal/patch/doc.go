// Package patch says which bytes a site can give up and how the instructions
// that stood there run elsewhere.
//
// In come the flow of a function (amd64.Graph) and a site; out go its Window, the
// instructions that a jump to a trampoline displaces, and the code that does the
// same in the trampoline (Displace). amd64 and locate stand before it, jit and
// engine after it: engine puts the body of a probe before the displaced
// instructions and the jump back after them. It writes nothing anywhere, and
// carries no build tag.
package patch
