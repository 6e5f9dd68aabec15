package m

import "fmt"

// Number says a number.
func Number() int {
	söme := "äö😀"; fmt.Printf("%d\n", söme)
	return 7
}

// Tail is long enough for contexts to be equal.
func Tail() string { return "tail" }
