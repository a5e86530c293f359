//go:build race

package payment_test

// stride is how many of the possible places of a crash are passed over: the race
// detector makes each one ten times as slow, and they share all their code.
const stride = 21
