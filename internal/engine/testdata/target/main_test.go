package main

import "testing"

// TestMain lets the test binary be the target.
func TestMain(*testing.M) { main() }
