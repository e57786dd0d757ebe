// A program that holds C.
package main

/*
#include <stdlib.h>
static int twice(int n) { return n + n + (int)labs(0); }
*/
import "C"

import "fmt"

var Made = map[string]int{"one": 1}

func main() {
	n := C.twice(4)
	fmt.Println(n, Made)
}
