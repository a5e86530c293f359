// Package archtest keeps the house in order. It has tests only:
//
//   - imports: which package may import which, so that the layers of
//     ARCHITECTURE.md stay layers; which standard packages a layer must not reach
//     for; and who owns which outside module
//   - calls: functions with an effect or a hidden state that are used in a few
//     places on purpose
//   - comments: each package has one package comment, each exported name says
//     what it is
//   - names, and the habits a machine can see
//
// All of it is tables in rules_test.go. A new package or dependency needs a line
// there, which makes it a decision. The tests read the source of every platform,
// so that a rule is not broken where nobody looks.
package archtest
