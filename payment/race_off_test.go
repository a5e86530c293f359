//go:build !race

package payment_test

const stride = 1
