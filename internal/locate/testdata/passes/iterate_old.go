//go:build !go1.23

package main

func iterate(n int) int { return n }
