package clock

// Counter reads the time-stamp counter (RDTSC).
func Counter() uint64
