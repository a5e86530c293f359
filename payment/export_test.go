package payment

// What tests of this package look at from inside.
var (
	Canonical       = canonical
	Attested        = attested
	CheckTotals     = checkTotals
	CheckGrowth     = checkGrowth
	CheckParts      = checkParts
	CheckAllocation = checkAllocation
)
