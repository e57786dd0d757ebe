// Command turns calls many functions as fast as it can, the hot ones, and a few seldom,
// when it is told to. It answers each line of its input by how often it has called
// each hot function, and each rare one.
//
//	rare N    calls each rare function N times
//	seldom    calls the hot ones a thousand times a second from now on
package main

import (
	"bufio"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

var (
	rounds atomic.Uint64
	rare   uint64
	sink   atomic.Uint64
	seldom atomic.Bool
)

func main() {
	for range 2 {
		go func() {
			for n := uint64(1); ; n++ {
				for _, f := range hot {
					n += f(n)
				}
				rounds.Add(1)
				if seldom.Load() {
					time.Sleep(2 * time.Millisecond) // there are two of us
				}
			}
		}()
	}
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var more uint64
		_, _ = fmt.Sscanf(in.Text(), "rare %d", &more)
		if in.Text() == "seldom" {
			seldom.Store(true)
		}
		for range more {
			sink.Add(rare0(rare) + rare1(rare))
			rare++
		}
		fmt.Println(rounds.Load(), rare)
	}
}

//go:noinline
func rare0(n uint64) uint64 { return work(n) }

//go:noinline
func rare1(n uint64) uint64 { return n + 1 }

// work keeps every call in the hot ones short and none of them empty.
func work(n uint64) uint64 {
	for range 20 {
		n ^= n << 13
		n ^= n >> 7
		n ^= n << 17
	}
	return n & 1
}

var hot = []func(uint64) uint64{
	hot0, hot1, hot2, hot3, hot4, hot5, hot6, hot7, hot8, hot9,
	hot10, hot11, hot12, hot13, hot14, hot15, hot16, hot17, hot18, hot19,
	hot20, hot21, hot22, hot23, hot24, hot25, hot26, hot27, hot28, hot29,
	hot30, hot31, hot32, hot33, hot34, hot35, hot36, hot37, hot38, hot39,
	hot40, hot41, hot42, hot43, hot44, hot45, hot46, hot47, hot48, hot49,
	hot50, hot51, hot52, hot53, hot54, hot55, hot56, hot57, hot58, hot59,
	hot60, hot61, hot62, hot63, hot64, hot65, hot66, hot67, hot68, hot69,
	hot70, hot71, hot72, hot73, hot74, hot75, hot76, hot77, hot78, hot79,
	hot80, hot81, hot82, hot83, hot84, hot85, hot86, hot87, hot88, hot89,
	hot90, hot91, hot92, hot93, hot94, hot95, hot96, hot97, hot98, hot99,
	hot100, hot101, hot102, hot103, hot104, hot105, hot106, hot107, hot108, hot109,
	hot110, hot111, hot112, hot113, hot114, hot115, hot116, hot117, hot118, hot119,
	hot120, hot121, hot122, hot123, hot124, hot125, hot126, hot127, hot128, hot129,
	hot130, hot131, hot132, hot133, hot134, hot135, hot136, hot137, hot138, hot139,
	hot140, hot141, hot142, hot143, hot144, hot145, hot146, hot147, hot148, hot149,
}

//go:noinline
func hot0(n uint64) uint64 { return work(n + 0) }

//go:noinline
func hot1(n uint64) uint64 { return work(n + 1) }

//go:noinline
func hot2(n uint64) uint64 { return work(n + 2) }

//go:noinline
func hot3(n uint64) uint64 { return work(n + 3) }

//go:noinline
func hot4(n uint64) uint64 { return work(n + 4) }

//go:noinline
func hot5(n uint64) uint64 { return work(n + 5) }

//go:noinline
func hot6(n uint64) uint64 { return work(n + 6) }

//go:noinline
func hot7(n uint64) uint64 { return work(n + 7) }

//go:noinline
func hot8(n uint64) uint64 { return work(n + 8) }

//go:noinline
func hot9(n uint64) uint64 { return work(n + 9) }

//go:noinline
func hot10(n uint64) uint64 { return work(n + 10) }

//go:noinline
func hot11(n uint64) uint64 { return work(n + 11) }

//go:noinline
func hot12(n uint64) uint64 { return work(n + 12) }

//go:noinline
func hot13(n uint64) uint64 { return work(n + 13) }

//go:noinline
func hot14(n uint64) uint64 { return work(n + 14) }

//go:noinline
func hot15(n uint64) uint64 { return work(n + 15) }

//go:noinline
func hot16(n uint64) uint64 { return work(n + 16) }

//go:noinline
func hot17(n uint64) uint64 { return work(n + 17) }

//go:noinline
func hot18(n uint64) uint64 { return work(n + 18) }

//go:noinline
func hot19(n uint64) uint64 { return work(n + 19) }

//go:noinline
func hot20(n uint64) uint64 { return work(n + 20) }

//go:noinline
func hot21(n uint64) uint64 { return work(n + 21) }

//go:noinline
func hot22(n uint64) uint64 { return work(n + 22) }

//go:noinline
func hot23(n uint64) uint64 { return work(n + 23) }

//go:noinline
func hot24(n uint64) uint64 { return work(n + 24) }

//go:noinline
func hot25(n uint64) uint64 { return work(n + 25) }

//go:noinline
func hot26(n uint64) uint64 { return work(n + 26) }

//go:noinline
func hot27(n uint64) uint64 { return work(n + 27) }

//go:noinline
func hot28(n uint64) uint64 { return work(n + 28) }

//go:noinline
func hot29(n uint64) uint64 { return work(n + 29) }

//go:noinline
func hot30(n uint64) uint64 { return work(n + 30) }

//go:noinline
func hot31(n uint64) uint64 { return work(n + 31) }

//go:noinline
func hot32(n uint64) uint64 { return work(n + 32) }

//go:noinline
func hot33(n uint64) uint64 { return work(n + 33) }

//go:noinline
func hot34(n uint64) uint64 { return work(n + 34) }

//go:noinline
func hot35(n uint64) uint64 { return work(n + 35) }

//go:noinline
func hot36(n uint64) uint64 { return work(n + 36) }

//go:noinline
func hot37(n uint64) uint64 { return work(n + 37) }

//go:noinline
func hot38(n uint64) uint64 { return work(n + 38) }

//go:noinline
func hot39(n uint64) uint64 { return work(n + 39) }

//go:noinline
func hot40(n uint64) uint64 { return work(n + 40) }

//go:noinline
func hot41(n uint64) uint64 { return work(n + 41) }

//go:noinline
func hot42(n uint64) uint64 { return work(n + 42) }

//go:noinline
func hot43(n uint64) uint64 { return work(n + 43) }

//go:noinline
func hot44(n uint64) uint64 { return work(n + 44) }

//go:noinline
func hot45(n uint64) uint64 { return work(n + 45) }

//go:noinline
func hot46(n uint64) uint64 { return work(n + 46) }

//go:noinline
func hot47(n uint64) uint64 { return work(n + 47) }

//go:noinline
func hot48(n uint64) uint64 { return work(n + 48) }

//go:noinline
func hot49(n uint64) uint64 { return work(n + 49) }

//go:noinline
func hot50(n uint64) uint64 { return work(n + 50) }

//go:noinline
func hot51(n uint64) uint64 { return work(n + 51) }

//go:noinline
func hot52(n uint64) uint64 { return work(n + 52) }

//go:noinline
func hot53(n uint64) uint64 { return work(n + 53) }

//go:noinline
func hot54(n uint64) uint64 { return work(n + 54) }

//go:noinline
func hot55(n uint64) uint64 { return work(n + 55) }

//go:noinline
func hot56(n uint64) uint64 { return work(n + 56) }

//go:noinline
func hot57(n uint64) uint64 { return work(n + 57) }

//go:noinline
func hot58(n uint64) uint64 { return work(n + 58) }

//go:noinline
func hot59(n uint64) uint64 { return work(n + 59) }

//go:noinline
func hot60(n uint64) uint64 { return work(n + 60) }

//go:noinline
func hot61(n uint64) uint64 { return work(n + 61) }

//go:noinline
func hot62(n uint64) uint64 { return work(n + 62) }

//go:noinline
func hot63(n uint64) uint64 { return work(n + 63) }

//go:noinline
func hot64(n uint64) uint64 { return work(n + 64) }

//go:noinline
func hot65(n uint64) uint64 { return work(n + 65) }

//go:noinline
func hot66(n uint64) uint64 { return work(n + 66) }

//go:noinline
func hot67(n uint64) uint64 { return work(n + 67) }

//go:noinline
func hot68(n uint64) uint64 { return work(n + 68) }

//go:noinline
func hot69(n uint64) uint64 { return work(n + 69) }

//go:noinline
func hot70(n uint64) uint64 { return work(n + 70) }

//go:noinline
func hot71(n uint64) uint64 { return work(n + 71) }

//go:noinline
func hot72(n uint64) uint64 { return work(n + 72) }

//go:noinline
func hot73(n uint64) uint64 { return work(n + 73) }

//go:noinline
func hot74(n uint64) uint64 { return work(n + 74) }

//go:noinline
func hot75(n uint64) uint64 { return work(n + 75) }

//go:noinline
func hot76(n uint64) uint64 { return work(n + 76) }

//go:noinline
func hot77(n uint64) uint64 { return work(n + 77) }

//go:noinline
func hot78(n uint64) uint64 { return work(n + 78) }

//go:noinline
func hot79(n uint64) uint64 { return work(n + 79) }

//go:noinline
func hot80(n uint64) uint64 { return work(n + 80) }

//go:noinline
func hot81(n uint64) uint64 { return work(n + 81) }

//go:noinline
func hot82(n uint64) uint64 { return work(n + 82) }

//go:noinline
func hot83(n uint64) uint64 { return work(n + 83) }

//go:noinline
func hot84(n uint64) uint64 { return work(n + 84) }

//go:noinline
func hot85(n uint64) uint64 { return work(n + 85) }

//go:noinline
func hot86(n uint64) uint64 { return work(n + 86) }

//go:noinline
func hot87(n uint64) uint64 { return work(n + 87) }

//go:noinline
func hot88(n uint64) uint64 { return work(n + 88) }

//go:noinline
func hot89(n uint64) uint64 { return work(n + 89) }

//go:noinline
func hot90(n uint64) uint64 { return work(n + 90) }

//go:noinline
func hot91(n uint64) uint64 { return work(n + 91) }

//go:noinline
func hot92(n uint64) uint64 { return work(n + 92) }

//go:noinline
func hot93(n uint64) uint64 { return work(n + 93) }

//go:noinline
func hot94(n uint64) uint64 { return work(n + 94) }

//go:noinline
func hot95(n uint64) uint64 { return work(n + 95) }

//go:noinline
func hot96(n uint64) uint64 { return work(n + 96) }

//go:noinline
func hot97(n uint64) uint64 { return work(n + 97) }

//go:noinline
func hot98(n uint64) uint64 { return work(n + 98) }

//go:noinline
func hot99(n uint64) uint64 { return work(n + 99) }

//go:noinline
func hot100(n uint64) uint64 { return work(n + 100) }

//go:noinline
func hot101(n uint64) uint64 { return work(n + 101) }

//go:noinline
func hot102(n uint64) uint64 { return work(n + 102) }

//go:noinline
func hot103(n uint64) uint64 { return work(n + 103) }

//go:noinline
func hot104(n uint64) uint64 { return work(n + 104) }

//go:noinline
func hot105(n uint64) uint64 { return work(n + 105) }

//go:noinline
func hot106(n uint64) uint64 { return work(n + 106) }

//go:noinline
func hot107(n uint64) uint64 { return work(n + 107) }

//go:noinline
func hot108(n uint64) uint64 { return work(n + 108) }

//go:noinline
func hot109(n uint64) uint64 { return work(n + 109) }

//go:noinline
func hot110(n uint64) uint64 { return work(n + 110) }

//go:noinline
func hot111(n uint64) uint64 { return work(n + 111) }

//go:noinline
func hot112(n uint64) uint64 { return work(n + 112) }

//go:noinline
func hot113(n uint64) uint64 { return work(n + 113) }

//go:noinline
func hot114(n uint64) uint64 { return work(n + 114) }

//go:noinline
func hot115(n uint64) uint64 { return work(n + 115) }

//go:noinline
func hot116(n uint64) uint64 { return work(n + 116) }

//go:noinline
func hot117(n uint64) uint64 { return work(n + 117) }

//go:noinline
func hot118(n uint64) uint64 { return work(n + 118) }

//go:noinline
func hot119(n uint64) uint64 { return work(n + 119) }

//go:noinline
func hot120(n uint64) uint64 { return work(n + 120) }

//go:noinline
func hot121(n uint64) uint64 { return work(n + 121) }

//go:noinline
func hot122(n uint64) uint64 { return work(n + 122) }

//go:noinline
func hot123(n uint64) uint64 { return work(n + 123) }

//go:noinline
func hot124(n uint64) uint64 { return work(n + 124) }

//go:noinline
func hot125(n uint64) uint64 { return work(n + 125) }

//go:noinline
func hot126(n uint64) uint64 { return work(n + 126) }

//go:noinline
func hot127(n uint64) uint64 { return work(n + 127) }

//go:noinline
func hot128(n uint64) uint64 { return work(n + 128) }

//go:noinline
func hot129(n uint64) uint64 { return work(n + 129) }

//go:noinline
func hot130(n uint64) uint64 { return work(n + 130) }

//go:noinline
func hot131(n uint64) uint64 { return work(n + 131) }

//go:noinline
func hot132(n uint64) uint64 { return work(n + 132) }

//go:noinline
func hot133(n uint64) uint64 { return work(n + 133) }

//go:noinline
func hot134(n uint64) uint64 { return work(n + 134) }

//go:noinline
func hot135(n uint64) uint64 { return work(n + 135) }

//go:noinline
func hot136(n uint64) uint64 { return work(n + 136) }

//go:noinline
func hot137(n uint64) uint64 { return work(n + 137) }

//go:noinline
func hot138(n uint64) uint64 { return work(n + 138) }

//go:noinline
func hot139(n uint64) uint64 { return work(n + 139) }

//go:noinline
func hot140(n uint64) uint64 { return work(n + 140) }

//go:noinline
func hot141(n uint64) uint64 { return work(n + 141) }

//go:noinline
func hot142(n uint64) uint64 { return work(n + 142) }

//go:noinline
func hot143(n uint64) uint64 { return work(n + 143) }

//go:noinline
func hot144(n uint64) uint64 { return work(n + 144) }

//go:noinline
func hot145(n uint64) uint64 { return work(n + 145) }

//go:noinline
func hot146(n uint64) uint64 { return work(n + 146) }

//go:noinline
func hot147(n uint64) uint64 { return work(n + 147) }

//go:noinline
func hot148(n uint64) uint64 { return work(n + 148) }

//go:noinline
func hot149(n uint64) uint64 { return work(n + 149) }
