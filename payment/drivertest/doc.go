// Package drivertest is the suite every payment.Driver passes, and a driver that
// misbehaves on purpose.
package drivertest
